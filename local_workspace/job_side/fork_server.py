"""A warm process: has imported what jobs import, and forks itself for each of them.

Started by the Python of an environment with the address of its socket, a descriptor that ends with
the server or has a byte when only this process is to end, and for how many seconds it stays without
work. Imports take seconds; a fork takes milliseconds. Linux only, and only the standard library
until the environment's own packages are imported.

A client connects, sends one line of JSON (`specification`, `folder`, `script`) with two
descriptors (log, liveness), and gets lines of JSON: `{"pid": ...}` from the new process as soon as
it leads a session of its own, later `{"exit": ...}` as `subprocess` numbers it; or one line
`{"refused": ...}`.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import gc
import importlib
import importlib.util
import io
import json
import multiprocessing
import os
import selectors
import signal
import socket
import sys
import tempfile
from pathlib import Path
from types import ModuleType

# What nearly every job of this SDK imports, the slow ones; the last when it signs in, and it then
# asks for the endpoints of the cloud, which are the same for all jobs of a server.
PRELOADED = (
    "azureml.core",
    "numpy",
    "pandas",
    "azureml.mlflow",
    "mlflow",
    "sklearn",
    "azureml._vendor.azure_cli_core.azureml_cloud",
)
NO_SDK = 3
_LONGEST_REQUEST = 64 * 1024
# Refers to itself, so that once frozen it is never freed; see `_leave_alone`.
_kept: list[object] = []
_kept.append(_kept)


def main(address: str, liveness: int, idle_seconds: float) -> int:
    """Import, listen, fork; ends after `idle_seconds` without work, or when `liveness` says so."""
    known, preloaded = set(sys.modules), []
    # What is registered first is called last, behind all that a script wants to do at its end.
    atexit.register(_leave_alone, preloaded)
    if importlib.util.find_spec("azureml") is None or not _imports("azureml.core"):
        return NO_SDK
    for name in PRELOADED:
        _imports(name)
    preloaded += set(sys.modules) - known
    driver = _driver()
    # What there is now stays: collections would only copy it into every process.
    gc.collect()
    gc.freeze()
    job = _Forks(address, liveness, idle_seconds).serve()
    if job is None:
        return 0
    return driver.main(*job)


def _imports(name: str) -> bool:
    try:
        importlib.import_module(name)
    except Exception as error:
        # A package that is missing or broken is the business of the job that needs it.
        print(f"{name} is not preloaded: {type(error).__name__}: {error}", file=sys.stderr)
        return False
    return True


def _leave_alone(names: list[str]) -> None:
    """Spare an interpreter that ends to take these modules apart.

    For that it would first copy much of the memory that a job shares with the others, which takes
    longer than a job's start. What the script has imported and made is taken apart as ever, except
    for what it gave to one of these modules to keep: of that, files are written to their end.
    """
    _kept.extend(sys.modules.pop(name, None) for name in names)
    for thing in gc.get_objects():
        if isinstance(thing, (io.TextIOWrapper, io.BufferedWriter)):
            with contextlib.suppress(OSError, ValueError):
                thing.flush()


def _driver() -> ModuleType:
    path = Path(__file__).with_name("driver.py")
    spec = importlib.util.spec_from_file_location("azureml_job_driver", path)
    assert spec is not None and spec.loader is not None, "it is a file with Python source"
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _Forks:
    """Takes requests and forks; `serve` returns in the forked processes, too."""

    def __init__(self, address: str, liveness: int, idle_seconds: float) -> None:
        self._address = address
        self._idle_seconds = idle_seconds
        self._liveness = liveness
        self._clients: dict[int, socket.socket] = {}
        self._listener = socket.socket(socket.AF_UNIX)
        self._wakeup, self._woken = socket.socketpair()
        for end in (self._wakeup, self._woken):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._woken.fileno(), warn_on_full_buffer=False)

    def serve(self) -> tuple[str, int] | None:
        """The path of a specification and its liveness in a forked process; None at the end."""
        # Whoever finds the name can connect at once.
        self._listener.bind(f"{self._address}.new")
        self._listener.listen(64)
        os.rename(f"{self._address}.new", self._address)
        with selectors.DefaultSelector() as selector:
            for source in (self._listener, self._wakeup, self._liveness):
                selector.register(source, selectors.EVENT_READ)
            while True:
                events = [key.fileobj for key, _ in selector.select(self._idle_seconds)]
                if self._liveness in events or (not events and not self._clients):
                    break
                if self._wakeup in events:
                    self._wakeup.recv(4096)
                self._reap()
                if self._listener in events:
                    job = self._accept()
                    if job is not None:
                        return job
        with contextlib.suppress(OSError):
            os.unlink(self._address)
        if self._liveness in events and not os.read(self._liveness, 1):
            # The server was killed: it has not cleaned up. The last of its processes does.
            with contextlib.suppress(OSError):
                os.rmdir(os.path.dirname(self._address))
        return None

    def _reap(self) -> None:
        while self._clients:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            _send(self._clients.pop(pid), {"exit": code}, close=True)

    def _accept(self) -> tuple[str, int] | None:
        """Answer one request; returns something in the forked process only."""
        client, _ = self._listener.accept()
        client.settimeout(5)
        try:
            request, descriptors = _receive(client)
        except (OSError, ValueError):
            client.close()
            return None
        reason = _shadowed(os.path.join(request["folder"], request["script"]))
        if reason or len(descriptors) != 2:
            for descriptor in descriptors:
                os.close(descriptor)
            _send(client, {"refused": reason or "two descriptors are expected"}, close=True)
            return None
        log, liveness = descriptors
        pid = os.fork()
        if pid == 0:
            self._become_a_job(request["folder"], log, client)
            return request["specification"], liveness
        os.close(log)
        os.close(liveness)
        self._clients[pid] = client
        return None

    def _become_a_job(self, folder: str, log: int, client: socket.socket) -> None:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for other in (self._listener, self._wakeup, self._woken, *self._clients.values()):
            other.close()
        os.close(self._liveness)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        os.chdir(folder)
        _forget_the_parent()
        _send(client, {"pid": os.getpid()}, close=True)


def _forget_the_parent() -> None:
    """What a process has for itself alone, and a forked one from its parent."""
    tempfile.tempdir = None
    multiprocessing.current_process().authkey = os.urandom(32)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        # The module `random` does this itself.
        numpy.random.seed()


def _shadowed(script: str) -> str | None:
    """Why the script must have a Python of its own: a file beside it that hides what is imported.

    `import yaml` finds a yaml.py beside the script first, unless yaml is imported already.
    """
    folder = os.path.dirname(script)
    try:
        names = os.listdir(folder)
    except OSError:
        return f"there is no folder {folder}"
    for name in names:
        stem, dot, _ = name.partition(".")
        is_module = (
            name.endswith((".py", ".pyc", ".so"))
            if dot
            else os.path.exists(os.path.join(folder, name, "__init__.py"))
        )
        if is_module and stem in sys.modules:
            return f"{name} has the name of a module that is imported already"
    return None


def _receive(client: socket.socket) -> tuple[dict[str, str], list[int]]:
    """A request and its descriptors. Raises OSError and ValueError for what is none."""
    descriptors = array.array("i")
    room = socket.CMSG_SPACE(8 * descriptors.itemsize)
    data, ancillary, _, _ = client.recvmsg(_LONGEST_REQUEST, room)
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(content[: len(content) - len(content) % descriptors.itemsize])
    while not data.endswith(b"\n"):
        more = client.recv(_LONGEST_REQUEST)
        if not more:
            raise ValueError("the request has no end")
        data += more
    return json.loads(data), list(descriptors)


def _send(client: socket.socket, message: dict[str, object], *, close: bool) -> None:
    try:
        client.sendall(json.dumps(message).encode() + b"\n")
    except OSError:
        # Nobody waits for it any more: the node is gone, and its processes see that themselves.
        pass
    finally:
        if close:
            client.close()


if __name__ == "__main__":
    # The folder of this file is on the path of Python, not of the user's script.
    sys.path[0] = ""
    sys.exit(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
