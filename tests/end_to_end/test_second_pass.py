"""A second pass over the lessons, on a machine without any network but loopback."""

import platform
import re
import shutil
import subprocess

import pytest

from local_workspace import process

# A network namespace of its own has no interface but loopback, which is down at first. Python
# sets it up: SIOCSIFFLAGS is 0x8914, IFF_UP 1; see netdevice(7).
_LOOPBACK_UP = (
    "import fcntl, socket, struct; "
    "fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sH14x', b'lo', 1))"
)
_REGISTERED = """
answer = {
    "datasets": {name: dataset.version for name, dataset in ws.datasets.items()},
    "environment": ws.environments["ml-sdk-env"].version,
}
"""


def _namespace(tmp_path):
    """The command that runs another one with loopback only, or None where that is not allowed."""
    if platform.system() != "Linux" or shutil.which("unshare") is None:
        return None
    script = tmp_path / "alone.sh"
    script.write_text(
        f'#!/bin/sh\npython=$1\n"$python" -c "{_LOOPBACK_UP}" && exec "$@"\n', encoding="utf-8"
    )
    command = ["unshare", "--user", "--map-root-user", "--net", "sh", str(script)]
    allowed = subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False)
    return command if allowed.returncode == 0 else None


def test_the_lessons_run_again_with_loopback_only_and_add_no_versions(clone, tmp_path):
    within = _namespace(tmp_path)
    before = clone.ask(_REGISTERED)
    if within is not None:
        # It has to start in there to be reached from there.
        process.stop(clone.paths)
    output = clone.lessons(within=within or ())
    if within is not None:
        process.stop(clone.paths)
        process.start(clone.paths, None)
    assert len(re.findall(r"^\d\d .* ok ", output, re.MULTILINE)) >= 3
    assert clone.ask(_REGISTERED) == before
    assert before["datasets"]["diabetes-dataset"] == 1


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not on this machine")
def test_no_connection_is_tried_elsewhere(clone, tmp_path):
    trace = tmp_path / "trace"
    clone.lessons(
        "01",
        within=["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=connect", "-o", str(trace)],
    )
    addresses = re.findall(r'inet_(?:addr|pton)\((?:AF_INET6, )?"([^"]+)"', trace.read_text())
    assert len(addresses) > 10, "strace saw no connection to the local workspace"
    assert {address for address in addresses if address not in ("127.0.0.1", "::1")} == set()
