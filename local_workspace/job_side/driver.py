"""Runs one process of a job: its data in, the user's script or command, its data out.

Started with the path of a specification (JSON), by the Python of the job's environment. Only the
standard library is imported here: an environment need not have the SDK. The result is written
beside the specification, for the engine to read.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sys
import threading
from pathlib import Path
from types import ModuleType


def main(path: str, liveness: int | None = None) -> int:
    """Run the process that the specification at `path` describes; its exit code.

    `liveness` is a descriptor that ends (EOF) when the node is gone: then so does this process,
    with everything it started. With it, all runs in a new process, the only one in which this
    returns.
    """
    specification = json.loads(Path(path).read_text(encoding="utf-8"))
    if liveness is not None:
        _end_with(_supervised(specification, liveness))
    os.environ.clear()
    os.environ.update(specification["environment"])
    os.makedirs("outputs", exist_ok=True)
    os.makedirs("logs", exist_ok=True)
    result: dict[str, object] = {}
    try:
        code = _run_with_data(specification, result)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    result["exit_code"] = code
    target = Path(specification["result"])
    temporary = target.with_suffix(".new")
    temporary.write_text(json.dumps(result), encoding="utf-8")
    temporary.replace(target)
    return code


def _supervised(specification: dict, liveness: int) -> int:
    """Go on in a new process; a descriptor that ends with the one that watches over it."""
    log = _beside("bounded_log").BoundedLog(1, specification["log"], specification["log_limit"])
    paths = [one["path"] for one in specification["inputs"] if one["mechanism"] == "mount"]
    # The process that serves a mounted file system must not be the one that unmounts it: killed, it
    # would leave a folder behind that can neither be read nor deleted.
    unmount = _beside("datasets").unmounting(paths) if paths else lambda: None
    return _beside("supervisor").supervise(liveness, log, unmount)


def _end_with(supervisor: int) -> None:
    """End this process when its supervisor is killed: nobody else would."""

    def watch() -> None:
        while os.read(supervisor, 1024):
            pass
        os.killpg(os.getpgid(0), signal.SIGKILL)

    threading.Thread(target=watch, name="supervisor", daemon=True).start()


def _run_with_data(specification: dict, result: dict[str, object]) -> int:
    inputs, outputs = specification["inputs"], specification["outputs"]
    if not inputs and not outputs:
        return _run(specification, result)
    data = _beside("datasets")
    code = 0
    try:
        with data.inputs_in_place(inputs):
            data.prepare_outputs(outputs)
            code = _run(specification, result)
        data.deliver_outputs(outputs, succeeded=code == 0)
    except data.DataError as error:
        print(f"{error}", file=sys.stderr)
        # What went wrong first is the error of the run.
        result.setdefault("error", {"type": "DataError", "message": str(error)})
        return code or 1
    return code


def _beside(name: str) -> ModuleType:
    """A module beside this file; not under its own name, which a user's module may have."""
    spec = importlib.util.spec_from_file_location(
        f"azureml_job_{name}", Path(__file__).with_name(f"{name}.py")
    )
    assert spec is not None and spec.loader is not None, "it is a file with Python source"
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _run(specification: dict, result: dict[str, object]) -> int:
    script = _beside("script")
    if specification["command"]:
        return script.run_command(specification["command"])
    try:
        code, error = script.run_script(specification["script"], specification["arguments"])
    finally:
        _beside("metrics").send_all()
    if error is not None:
        result["error"] = error
    return code


if __name__ == "__main__":
    # The folder of this file is on the path of Python, not of the user's script.
    sys.exit(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None))
