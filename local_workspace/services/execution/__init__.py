"""Submission and cancellation of runs. The routes are in the module `routes`."""

from local_workspace.services.execution.records import cancel_run, submit_run

__all__ = ["cancel_run", "submit_run"]
