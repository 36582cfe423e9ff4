"""What a node does: starts one process of a job and stays with it until its end.

Runs inside a worker of Dask; imports nothing but the standard library. When the worker dies, so
does the process: it watches a pipe that ends with the worker.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

_POLL_SECONDS = 0.05
_GRACE_SECONDS = 3.0
CANCEL_FILE = "cancel"

DRIVER = Path(__file__).parent.parent / "job_side" / "driver.py"


def run_process(specification_path: str) -> dict[str, Any]:
    """Run the process that the file describes.

    Returns `reason` ("exited", "canceled" or "timed out") and `exit_code`, negative for a signal.
    """
    path = Path(specification_path)
    specification = json.loads(path.read_text(encoding="utf-8"))
    folder = path.parent
    if (folder / CANCEL_FILE).exists():
        return {"reason": "canceled", "exit_code": -signal.SIGTERM}
    process, liveness = _start(specification, path)
    started = time.time()
    # Written whole or not at all: the engine reads it to know that the process began.
    note = folder / f"node-{specification['rank']}.new"
    note.write_text(
        json.dumps({"node": os.getpid(), "process": process.pid, "started": started}),
        encoding="utf-8",
    )
    note.replace(folder / f"node-{specification['rank']}.json")
    deadline = specification.get("deadline")
    reason = "exited"
    try:
        while process.poll() is None:
            if (folder / CANCEL_FILE).exists():
                reason = "canceled"
            elif deadline is not None and time.time() > deadline:
                reason = "timed out"
            if reason != "exited":
                _end(process)
                break
            time.sleep(_POLL_SECONDS)
        # What the job started and left behind ends with it.
        _signal(process, signal.SIGKILL)
        return {"reason": reason, "exit_code": process.wait()}
    finally:
        os.close(liveness)


def _start(specification: dict[str, Any], path: Path) -> tuple[subprocess.Popen[bytes], int]:
    read_end, write_end = os.pipe()
    try:
        with open(specification["log"], "ab") as log:
            process = subprocess.Popen(
                [specification["python"], "-u", str(DRIVER), str(path), str(read_end)],
                cwd=specification["folder"],
                env=specification["environment"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(read_end,),
                start_new_session=True,
            )
    except BaseException:
        os.close(write_end)
        raise
    finally:
        os.close(read_end)
    return process, write_end


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to end, and make it."""
    _signal(process, signal.SIGTERM)
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        _signal(process, signal.SIGKILL)
        process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
