"""Experiments and runs as the pages show them."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from local_workspace.errors import BadRequest, NotFound
from local_workspace.services import artifact, run_history
from local_workspace.services.dataset import registration_of
from local_workspace.services.environment import get_environment
from local_workspace.services.metric import as_number, latest_scalars
from local_workspace.services.model_management import all_versions
from local_workspace.store.tables.model_management import ModelVersionRow
from local_workspace.store.tables.run_history import ExperimentRow, RunRow
from local_workspace.studio.masking import without_secrets
from local_workspace.studio.metrics import Metrics, is_image, metrics_of
from local_workspace.workspace import LocalWorkspace

RUNS_ON_A_PAGE = 50
_METRIC_COLUMNS = 6
_CHILDREN = 50
_FILES = 500
_PICTURES = 12
ORDERS = {
    "StartTimeUtc desc": "newest first",
    "StartTimeUtc asc": "oldest first",
    "DisplayName asc": "name",
    "Status asc": "status",
    "EndTimeUtc desc": "last ended first",
}


@dataclass(frozen=True)
class RunTable:
    """Runs in a table: each with the name of its experiment and its latest metrics."""

    runs: list[RunRow]
    experiments: dict[str, str]
    metric_names: list[str]
    metrics: dict[str, dict[str, float | None]]
    continuation: str | None = None


@dataclass(frozen=True)
class RunChoice:
    """Which runs of an experiment a page shows, as its form gives it."""

    status: str = ""
    filter: str = ""
    order: str = "StartTimeUtc desc"
    children: bool = False
    continuation: str | None = None

    def odata(self) -> str | None:
        """The filter that run history understands."""
        parts = [f"({self.filter})"] if self.filter.strip() else []
        if self.status:
            parts.append(f"Status eq '{self.status}'")
        if not self.children:
            parts.append("ParentRunId eq null")
        return " and ".join(parts) or None


@dataclass(frozen=True)
class Data:
    """A dataset that a run read or wrote: its name in the run, and where it is registered."""

    name: str
    how: str
    saved_id: str | None
    dataset: str | None = None
    version: int | None = None


@dataclass
class Files:
    """The files of a run: logs apart from the others; `more` when not all are listed."""

    logs: list[artifact.Artifact] = field(default_factory=list)
    others: list[artifact.Artifact] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    more: bool = False


@dataclass(frozen=True)
class RunPage:
    """Everything that the page of a run shows."""

    run: RunRow
    experiment: ExperimentRow
    parent: RunRow | None
    metrics: Metrics
    files: Files
    children: RunTable
    inputs: list[Data]
    outputs: list[Data]
    models: list[ModelVersionRow]
    settings: list[tuple[str, str]]
    environment: tuple[str, str] | None
    error: tuple[str, str] | None
    has_ended: bool
    can_cancel: bool


def run_table(
    session: Session, runs: Sequence[RunRow], continuation: str | None = None
) -> RunTable:
    """`runs` with the metrics that most of them have."""
    latest = latest_scalars(session, [run.run_id for run in runs])
    common = Counter(name for found in latest.values() for name in found)
    names = [name for name, _ in common.most_common(_METRIC_COLUMNS)]
    experiments = {run.experiment_id for run in runs}
    return RunTable(
        runs=list(runs),
        experiments={
            experiment: run_history.get_experiment_by_id(session, experiment).name
            for experiment in experiments
        },
        metric_names=names,
        metrics={
            run_id: {
                name: as_number(row.latest_value, row.latest_special)
                for name, row in found.items()
                if name in names
            }
            for run_id, found in latest.items()
        },
        continuation=continuation,
    )


def newest_runs(session: Session, count: int) -> RunTable:
    """The newest runs of the workspace that are no child runs."""
    found = run_history.query_runs(session, filter="ParentRunId eq null", top=count)
    return run_table(session, found.rows)


def runs_of_experiment(
    session: Session, experiment: ExperimentRow, choice: RunChoice
) -> tuple[RunTable, str | None]:
    """A page of runs, and what is wrong with the choice (then the table is empty)."""
    try:
        found = run_history.query_runs(
            session,
            experiment_id=experiment.experiment_id,
            filter=choice.odata(),
            order_by=choice.order,
            top=RUNS_ON_A_PAGE,
            continuation=choice.continuation,
        )
    except BadRequest as error:
        return run_table(session, []), error.message
    return run_table(session, found.rows, found.continuation), None


def run_page(session: Session, workspace: LocalWorkspace, run_id: str) -> RunPage:
    """The page of a run. Raises NotFound."""
    run = run_history.get_run(session, run_id)
    children = run_history.query_runs(session, parent_run_id=run_id, top=_CHILDREN)
    has_ended = run.status in run_history.TERMINAL_STATUSES
    definition = _mapping(run.run_definition)
    metrics = metrics_of(session, workspace, run_id, run.data_container_id)
    files = files_of(workspace, run)
    shown = {file.path for file in metrics.files}
    files.pictures = [path for path in files.pictures if path not in shown]
    return RunPage(
        run=run,
        experiment=run_history.get_experiment_by_id(session, run.experiment_id),
        parent=run_history.get_run(session, run.parent_run_id) if run.parent_run_id else None,
        metrics=metrics,
        files=files,
        children=run_table(session, children.rows, children.continuation),
        inputs=[
            *(_data(session, item, "input") for item in run.input_datasets),
            *map(_mlflow_data, run.mlflow_inputs),
        ],
        outputs=[_data(session, item, "output") for item in run.output_datasets],
        models=all_versions(session, run_id=run_id),
        settings=_settings(definition),
        environment=_environment(session, definition),
        error=_error(run),
        has_ended=has_ended,
        # A run without such an address is done by a process that the workspace did not start.
        can_cancel=bool(run.cancel_uri) and not has_ended and run.status != "CancelRequested",
    )


def files_of(workspace: LocalWorkspace, run: RunRow) -> Files:
    """The files of a run, the first 500 of them."""
    listed, following = artifact.page_of_artifacts(
        workspace, artifact.RUN_ORIGIN, run.data_container_id
    )
    found = Files(more=following is not None or len(listed) > _FILES)
    for item in listed[:_FILES]:
        is_log = item.path.startswith(("user_logs/", "azureml-logs/", "logs/", "system_logs/"))
        (found.logs if is_log else found.others).append(item)
    # What the script printed is what people look for.
    found.logs.sort(key=lambda item: (not item.path.startswith("user_logs/"), item.path))
    found.pictures = [item.path for item in found.others if is_image(item.path)][:_PICTURES]
    return found


def _mapping(value: Any) -> Mapping[str, Any]:
    """`value` if it is a mapping, else an empty one: clients write these documents."""
    return value if isinstance(value, Mapping) else {}


def _error(run: RunRow) -> tuple[str, str] | None:
    """Code and message of what a run failed with."""
    error = _mapping(_mapping(run.error).get("error"))
    if not error:
        return None
    code = _mapping(error.get("innerError")).get("code")
    message = str(error.get("message") or "").rstrip()
    trace = str(_mapping(error.get("debugInfo")).get("stackTrace") or "").strip()
    if trace not in message:
        message += f"\n\n{trace}"
    return str(code or error.get("code") or "Error"), message


def _settings(definition: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a submitted run was asked to do, by label."""
    script, command = definition.get("script"), definition.get("command")
    arguments = definition.get("arguments")
    nodes = _node_count(definition)
    found = [
        ("Script", script),
        ("Command", _words(command) if isinstance(command, list) else without_secrets(command)),
        ("Arguments", _words(arguments) if isinstance(arguments, list) else None),
        ("Compute", definition.get("target")),
        ("Nodes", nodes if nodes > 1 else None),
        ("Time limit", _time_limit(definition.get("maxRunDurationSeconds"))),
    ]
    return [(label, str(value)) for label, value in found if value]


def _words(command: list[Any]) -> str:
    return shlex.join(without_secrets([str(word) for word in command]))


def _node_count(definition: Mapping[str, Any]) -> int:
    sections = (definition, definition.get("mpi"), definition.get("pytorch"))
    counts = [_mapping(section).get("nodeCount") for section in sections]
    return max((count for count in counts if isinstance(count, int)), default=1)


def _time_limit(seconds: Any) -> str | None:
    # The SDK sends Azure's limit of thirty days when none is set.
    is_set = isinstance(seconds, int) and 0 < seconds < 30 * 24 * 3600
    return f"{seconds} s" if is_set else None


def _environment(session: Session, definition: Mapping[str, Any]) -> tuple[str, str] | None:
    """Name and version of a run's environment; the version is empty unless it is registered."""
    given = _mapping(definition.get("environment"))
    if not given.get("name"):
        return None
    name, version = str(given["name"]), str(given.get("version") or "")
    try:
        return name, get_environment(session, name, version).version if version else ""
    except NotFound:
        return name, ""


def _data(session: Session, item: Any, kind: str) -> Data:
    """A dataset in the lineage of a run, which is what clients wrote there."""
    item = _mapping(item)
    details = _mapping(item.get(f"{kind}Details"))
    saved_id = _mapping(item.get("identifier")).get("savedId")
    registered = registration_of(session, str(saved_id)) if saved_id else None
    return Data(
        name=str(details.get(f"{kind}Name") or kind),
        how=str(details.get("mechanism") or item.get(f"{kind}Type") or ""),
        saved_id=saved_id,
        dataset=registered.dataset.name if registered else None,
        version=registered.version.version if registered else None,
    )


def _mlflow_data(item: Any) -> Data:
    """A dataset that MLflow's `log_input` noted: its digest stands for an id."""
    dataset = _mapping(_mapping(item).get("dataset"))
    return Data(
        name=str(dataset.get("name") or "dataset"),
        how="MLflow",
        saved_id=dataset.get("digest"),
    )
