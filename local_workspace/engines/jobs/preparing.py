"""The environment of a job."""

from __future__ import annotations

from collections.abc import Callable

from local_workspace.engines.environments import Wanted
from local_workspace.engines.jobs.logs import build_log_of
from local_workspace.services import environment
from local_workspace.services.artifact import ArtifactLog
from local_workspace.services.execution import Job
from local_workspace.workspace import LocalWorkspace


def want_environment(
    workspace: LocalWorkspace, job: Job, ready: Callable[[], None]
) -> tuple[Wanted, ArtifactLog]:
    """Ask for the environment of a job; `ready` is called when there is an outcome.

    What is said of it goes to the log of preparations. Raises NotFound for a registered environment
    that is not there.
    """
    wanted = job.environment
    definition = wanted.definition
    if definition is None:
        with workspace.database.read() as session:
            definition = environment.get_environment(
                session, str(wanted.name), wanted.version
            ).definition
    log = build_log_of(workspace, job.run_id)
    if wanted.uses_docker:
        log.say(
            "The run asks for Docker. The local workspace starts no containers: the run has the "
            "same Python packages, in a virtual environment of this machine."
        )
    return workspace.engines.environments.want(definition, log.say, ready), log
