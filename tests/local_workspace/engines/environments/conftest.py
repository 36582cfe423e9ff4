"""What the tests of environments share."""

import sys
import textwrap

import pytest
from tiny_wheels import make_wheel

from local_workspace.engines.environments import pythons


@pytest.fixture
def wheels(tmp_path):
    make_wheel(tmp_path / "wheels", "tiny_package", "1.0")
    return make_wheel(tmp_path / "wheels", "tiny_package", "2.0")


@pytest.fixture
def slow_uv(tmp_path, monkeypatch):
    """uv that notes each of its calls and waits where it is told to.

    A call whose arguments contain `hold` writes its process id to `held` and goes on when the
    file `go` is there.
    """
    script = tmp_path / "uv.sh"
    script.write_text(
        textwrap.dedent(f"""\
        #!/bin/sh
        echo "$@" >> {tmp_path}/calls
        case "$*" in
        *"$(cat {tmp_path}/hold)"*)
            echo $$ > {tmp_path}/held
            while [ ! -e {tmp_path}/go ]; do sleep 0.02; done;;
        esac
        exec {sys.executable} -m uv "$@"
        """)
    )
    script.chmod(0o755)
    (tmp_path / "hold").write_text("nothing is held")
    (tmp_path / "calls").touch()
    monkeypatch.setattr(pythons, "uv_command", lambda: [str(script)])
    return tmp_path
