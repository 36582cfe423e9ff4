"""What the tests of what runs inside a job need."""

import contextlib
import json
import os
import subprocess
import sys

import pytest
from execution_helpers import wait_until

from local_workspace.job_side import driver


class Started:
    """A supervised process, started as a node starts it."""

    def __init__(self, folder, text, *, command="", log_limit=1024 * 1024):
        (folder / "train.py").write_text(text)
        self.log = folder / "log.txt"
        specification = {
            "script": "train.py",
            "command": command,
            "arguments": [],
            "inputs": [],
            "outputs": [],
            "log": str(self.log),
            "log_limit": log_limit,
            "result": str(folder / "result.json"),
            "environment": {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1"},
        }
        path = folder / "process.json"
        path.write_text(json.dumps(specification))
        read_end, self._liveness = os.pipe()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-u", driver.__file__, str(path), str(read_end)],
                cwd=folder,
                stdout=log,
                stderr=log,
                pass_fds=[read_end],
                start_new_session=True,
            )
        os.close(read_end)

    def node_ends(self):
        """What its processes see of that."""
        if self._liveness is not None:
            os.close(self._liveness)
            self._liveness = None

    def printed(self):
        """What is in the log, once there is a line."""
        return wait_until(lambda: (text := self.log.read_text()).endswith("\n") and text)

    def wait(self):
        """The exit code, as `subprocess` has it."""
        return self.process.wait(60)


@pytest.fixture
def start(tmp_path):
    with contextlib.ExitStack() as stack:

        def start(*arguments, **options):
            started = Started(tmp_path, *arguments, **options)
            stack.callback(started.wait)
            stack.callback(started.node_ends)
            return started

        yield start
