"""Submitted jobs that go on: `python -m lesson_runner.jobs list SINCE`, `cancel RUN_ID ...`.

It talks to the workspace that config.json and the environment name, through the SDK alone: the
lessons' local workspace and Azure are asked alike.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from azureml._restclient.exceptions import ServiceException  # the SDK exports it nowhere else
from azureml.core import Experiment, Run, Workspace
from azureml.exceptions import AzureMLException

ENDED = ("Completed", "Failed", "Canceled", "NotResponding")


def going_on(workspace: Workspace, since: datetime) -> list[Run]:
    """The jobs submitted since a moment that have not ended; children of jobs go with them."""

    def of(experiment: Experiment) -> list[Run]:
        found = []
        for run in experiment.get_runs():  # newest first
            # The SDK shows the time of creation of no run: only its record has it.
            created = str(run._run_dto.get("created_utc"))
            if datetime.fromisoformat(created[:19] + "+00:00") < since:
                break
            # An interactive run has no type: it has ended with the program that logged it.
            if run.type is not None and run.status not in ENDED:
                found.append(run)
        return found

    with ThreadPoolExecutor(16) as pool:
        return [run for runs in pool.map(of, Experiment.list(workspace)) for run in runs]


def cancel(workspace: Workspace, run_ids: list[str]) -> int:
    """Cancel runs by their ids; 1 when one of them could not be."""
    code = 0
    for run_id in run_ids:
        try:
            run = Run.get(workspace, run_id)
            if run.get_status() in ENDED:
                print(f"{run_id} has ended already: {run.get_status()}.")
            else:
                run.cancel()
                print(f"{run_id} is being cancelled.")
        except (AzureMLException, ServiceException) as error:
            print(f"{run_id} cannot be cancelled: {error.message}", file=sys.stderr)
            code = 1
    return code


def main(arguments: list[str]) -> int:
    """List the jobs that go on, or cancel some; returns the exit code."""
    workspace = Workspace.from_config()
    command, *rest = arguments
    if command == "cancel":
        return cancel(workspace, rest)
    for run in going_on(workspace, datetime.fromisoformat(rest[0])):
        print(f"job {run.id}")  # the SDK may print lines of its own
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
