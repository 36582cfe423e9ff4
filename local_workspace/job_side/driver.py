"""Runs one process of a job: its data in, the user's script or command, its data out.

Started with the path of a specification (JSON), by the Python of the job's environment. Only the
standard library is imported here: an environment need not have the SDK. The result is written
beside the specification, for the engine to read.
"""

from __future__ import annotations

import importlib.util
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from types import ModuleType, TracebackType

# What a message keeps of a long traceback; all of it is in the log.
_LONGEST_TRACEBACK = 12_000


def main(path: str, liveness: int | None = None) -> int:
    """Run the process that the specification at `path` describes; its exit code.

    `liveness` is a descriptor that ends (EOF) when the node is gone: then so does this process,
    with everything it started.
    """
    specification = json.loads(Path(path).read_text(encoding="utf-8"))
    if liveness is not None:
        _end_with_the_node(liveness)
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


def _end_with_the_node(liveness: int) -> None:
    os.set_inheritable(liveness, False)

    def watch() -> None:
        while os.read(liveness, 1024):
            pass
        os.killpg(os.getpgid(0), signal.SIGKILL)

    threading.Thread(target=watch, name="node", daemon=True).start()


def _run_with_data(specification: dict, result: dict[str, object]) -> int:
    inputs, outputs = specification["inputs"], specification["outputs"]
    if not inputs and not outputs:
        return _run(specification, result)
    data = _data_module()
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


def _data_module() -> ModuleType:
    """data.py beside this file; not as `data`, which may be the name of a user's own module."""
    spec = importlib.util.spec_from_file_location(
        "azureml_job_data", Path(__file__).with_name("data.py")
    )
    assert spec is not None and spec.loader is not None, "it is a file with Python source"
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _run(specification: dict, result: dict[str, object]) -> int:
    if specification["command"]:
        # As on Azure the command is a line for the shell, with arguments appended.
        return (
            subprocess.call(["/bin/bash", "-c", specification["command"]], stdin=subprocess.DEVNULL)
            if os.path.exists("/bin/bash")
            else subprocess.call(specification["command"], shell=True, stdin=subprocess.DEVNULL)
        )
    script = specification["script"]
    if not os.path.isfile(script):
        message = (
            f"The script '{script}' does not exist in the snapshot of the run. Check 'script' and "
            "'source_directory' of the ScriptRunConfig, and .amlignore."
        )
        print(message, file=sys.stderr)
        result["error"] = {"type": "FileNotFoundError", "message": message}
        return 1
    sys.argv = [script, *specification["arguments"]]
    sys.path[0:1] = [os.path.dirname(os.path.abspath(script)), os.getcwd()]
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as exit_:
        return _exit_code(exit_)
    except BaseException as error:
        text = _traceback_of(error)
        sys.stderr.write(text)
        result["error"] = {
            "type": type(error).__name__,
            "message": str(error),
            "traceback": text[-_LONGEST_TRACEBACK:],
        }
        return 1
    finally:
        flush_metrics()
    return 0


def _exit_code(exit_: SystemExit) -> int:
    if exit_.code is None:
        return 0
    if isinstance(exit_.code, int):
        return exit_.code & 0xFF
    print(exit_.code, file=sys.stderr)
    return 1


def _traceback_of(error: BaseException) -> str:
    """The traceback of a user's error without the frames that led to the user's script."""
    own = {__file__, runpy.__file__, runpy.run_path.__code__.co_filename}
    trace: TracebackType | None = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename in own:
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace))


def flush_metrics() -> None:
    """Send what the SDK still holds back: it logs metrics in batches, from another thread."""
    module = sys.modules.get("azureml.core.run")
    if module is None:
        return
    try:
        run = module.Run.get_context(allow_offline=False)
        run.flush(timeout_seconds=120)
    except Exception as error:
        # The user's script is over; what happens here must not hide how it ended.
        print(f"The last metrics could not be sent: {error}", file=sys.stderr)


if __name__ == "__main__":
    # The folder of this file is on the path of Python, not of the user's script.
    sys.exit(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None))
