"""Run by every Python that a job starts, before its script: sends the last metrics at its end.

The folder of this file is the first on the PYTHONPATH of jobs. As little as possible is imported
here: what is imported now hides a module of that name beside the user's script.
"""

from __future__ import annotations

import os
import sys

_SENDER = "azureml._restclient.metrics_client"
_HERE = os.path.dirname(os.path.abspath(__file__))


class _Watch:
    """Waits for the SDK's module that sends metrics; a script without it costs nothing."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> object:
        """That module as it is usually found, with a loader that has us called at the end."""
        if name != _SENDER:
            return None
        sys.meta_path.remove(self)  # type: ignore[arg-type]
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)  # type: ignore[arg-type]
            if spec is not None:
                _call_after(spec.loader)
                return spec
        return None


def _call_after(loader: object) -> None:
    usual = loader.exec_module  # type: ignore[attr-defined]

    def exec_module(module: object) -> None:
        usual(module)
        _send_at_the_end()

    loader.exec_module = exec_module  # type: ignore[attr-defined]


def _send_at_the_end() -> None:
    import atexit
    import threading

    owner = os.getpid()

    def send() -> None:
        # A forked process has copies of what its parent will send itself.
        if os.getpid() == owner:
            metrics = _module(
                "azureml_job_metrics", os.path.join(os.path.dirname(_HERE), "metrics.py")
            )
            metrics.send_all()  # type: ignore[attr-defined]

    # Since Python 3.9 the threads that send end before what `atexit` calls.
    getattr(threading, "_register_atexit", atexit.register)(send)


def _module(name: str, path: str) -> object:
    import importlib.util

    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None, "it is a file with Python source"
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _run_the_next() -> None:
    """Run the sitecustomize that there would be without this one: the environment's, the user's."""
    for folder in sys.path:
        path = os.path.join(folder, "sitecustomize.py")
        if os.path.abspath(folder) != _HERE and os.path.isfile(path):
            _module("sitecustomize", path)
            return


sys.meta_path.insert(0, _Watch())  # type: ignore[arg-type]
_run_the_next()
