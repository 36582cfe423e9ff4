"""Every test session has a local workspace of its own; see `local_workspace/pytest_plugin.py`."""

import pytest

pytest_plugins = ["local_workspace.pytest_plugin"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a module on one worker, and all that share the run of the lessons.

    The lessons take longest: they begin.
    """
    for item in items:
        end_to_end = "end_to_end" in item.path.parts
        group = "end_to_end" if end_to_end else item.path.stem
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: "end_to_end" not in item.path.parts)
