"""The environment of a submitted run."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.orm import Session

from local_workspace.services import environment
from local_workspace.services.execution.parsing import Submission
from local_workspace.workspace import LocalWorkspace

# So much of an experiment's name fits into the name of an environment.
_LONGEST = 255 - len("Experiment  Environment")


def with_registered_environment(
    session: Session, workspace: LocalWorkspace, submission: Submission, experiment_name: str
) -> Submission:
    """`submission` with its environment as it is registered, which it is from now on.

    One without a name gets that of its experiment, as on Azure. Raises NotFound for an unknown
    name or version, BadRequest for an environment that cannot be.
    """
    given = submission.configuration.get("environment")
    if not given:
        return submission
    default_name = f"Experiment {experiment_name[:_LONGEST]} Environment"
    known = environment.registered(session, workspace, given, default_name)
    return replace(submission, configuration={**submission.configuration, "environment": known})
