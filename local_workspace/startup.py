"""Builds and starts a workspace: which services and engines there are, and in which order.

A new service or engine is its package, its tables, and its line in one of the two tuples:
`docs/how_the_local_workspace_works.md` shows the steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from local_workspace.app import Application
from local_workspace.engines.base import Engine
from local_workspace.engines.environments import EnvironmentsEngine
from local_workspace.engines.jobs import JobsEngine
from local_workspace.engines.pipelines import PipelinesEngine
from local_workspace.engines.schedules import SchedulesEngine
from local_workspace.paths import Paths
from local_workspace.service import Service
from local_workspace.services.arm import routes as arm
from local_workspace.services.artifact import routes as artifact
from local_workspace.services.blob import routes as blob
from local_workspace.services.cloud import routes as cloud
from local_workspace.services.compute import routes as compute
from local_workspace.services.content import routes as content
from local_workspace.services.credential import routes as credential
from local_workspace.services.dataset import routes as dataset
from local_workspace.services.datastore import routes as datastore
from local_workspace.services.environment import routes as environment
from local_workspace.services.execution import routes as execution
from local_workspace.services.metric import routes as metric
from local_workspace.services.mlflow import routes as mlflow
from local_workspace.services.model_management import routes as model_management
from local_workspace.services.not_here_yet import SERVICES_NOT_HERE_YET
from local_workspace.services.pipelines import routes as pipelines
from local_workspace.services.run_history import routes as run_history
from local_workspace.settings import Settings
from local_workspace.studio import routes as studio
from local_workspace.workspace import LocalWorkspace

# In the order of the support matrix, and in which they are prepared.
SERVICES: tuple[Service, ...] = (
    cloud.SERVICE,
    arm.SERVICE,
    datastore.SERVICE,
    dataset.SERVICE,
    compute.SERVICE,
    environment.SERVICE,
    run_history.SERVICE,
    metric.SERVICE,
    artifact.SERVICE,
    content.SERVICE,
    execution.SERVICE,
    pipelines.SERVICE,
    mlflow.SERVICE,
    model_management.SERVICE,
    credential.SERVICE,
    # After MLflow's pages: it answers every other address below /studio/.
    studio.SERVICE,
    blob.SERVICE,
    *SERVICES_NOT_HERE_YET,
)

# In the order in which they start: one may use those before it.
ENGINES: tuple[type[Engine], ...] = (
    EnvironmentsEngine,
    JobsEngine,
    PipelinesEngine,
    SchedulesEngine,
)


def build(
    paths: Paths,
    settings: Settings,
    port: int,
    services: tuple[Service, ...] = SERVICES,
    engines: tuple[type[Engine], ...] = ENGINES,
) -> Application:
    """The server of a workspace, as an ASGI application; its lifespan is `running`.

    `port` is the one on loopback under which clients reach it. Raises ValueError when two services
    own the same prefix of paths.
    """
    workspace = LocalWorkspace(paths, settings, port)
    return Application(workspace, services, partial(running, workspace, services, engines))


@contextmanager
def running(
    workspace: LocalWorkspace,
    services: tuple[Service, ...] = SERVICES,
    engines: tuple[type[Engine], ...] = ENGINES,
) -> Iterator[LocalWorkspace]:
    """Prepare a workspace for its services and have its engines work; close it at the end.

    Engines are all there before the first one starts, and end in the reverse order.
    """
    with ExitStack() as closing:
        closing.callback(workspace.close)
        started = [engine(workspace) for engine in engines]
        for engine in started:
            workspace.engines.add(engine.name, engine)
            closing.callback(engine.close)
        for service in services:
            service.prepare(workspace)
        for engine in started:
            engine.start()
        yield workspace
