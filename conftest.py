"""Every test session has a local workspace of its own; see `local_workspace/pytest_plugin.py`."""

pytest_plugins = ["local_workspace.pytest_plugin"]
