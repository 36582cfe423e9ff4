"""Runs jobs: from the queue through their states to their end."""

from local_workspace.engines.jobs.engine import JobsEngine

__all__ = ["JobsEngine"]
