"""Every test session has a local workspace of its own; see `local_workspace/pytest_plugin.py`."""

import os
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["local_workspace.pytest_plugin"]

_END_TO_END = "tests/end_to_end/"

# Numeric libraries keep all cores busy while they wait for their threads. There is a worker on
# each core already: twice as many threads make them all several times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Servers, nodes and jobs are started a hundred times: each would compile their modules again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


class ByModule(LoadScopeScheduling):
    """A module's tests stay on one worker, and all tests that share the run of the lessons."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::", 1)[0]
        return _END_TO_END if path.startswith(_END_TO_END) else path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByModule:
    """How tests are given to workers, whatever `--dist` says."""
    return ByModule(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins: the lessons, then the services."""

    def rank(item: pytest.Item) -> int:
        if item.nodeid.startswith(_END_TO_END):
            return 0
        return 1 if item.nodeid.startswith("tests/local_workspace/") else 2

    items.sort(key=rank)
