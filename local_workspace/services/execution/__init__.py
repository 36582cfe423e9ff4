"""Submission and cancellation of runs. The routes are in the module `routes`."""

from local_workspace.services.execution.submission import cancel_run, submit_run

__all__ = ["cancel_run", "submit_run"]
