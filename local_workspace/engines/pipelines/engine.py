"""Takes pipeline runs from step to step.

A step has no row before it begins. From then on its run in run history says how far it is, and the
jobs engine does its work: this engine only starts what is ready and notices what has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from local_workspace.engines.base import Engine
from local_workspace.engines.pipelines.starting import outputs_of, start_step
from local_workspace.errors import ServiceError
from local_workspace.events import Event, PipelineChanged, RunEnded
from local_workspace.services import execution, pipelines, run_history
from local_workspace.services.artifact import RUN_ORIGIN, ArtifactLog, run_container
from local_workspace.services.pipelines import Graph
from local_workspace.store.tables.pipelines import PipelineRunRow, PipelineStepRow
from local_workspace.store.tables.run_history import RunRow
from local_workspace.workspace import LocalWorkspace

_LOG = "logs/azureml/executionlogs.txt"
# In case that an event was missed: the tables are asked.
_LOOK_AGAIN_SECONDS = 5.0


@dataclass(frozen=True)
class Progress:
    """How far a pipeline run is: its steps that have begun, with their runs."""

    row: PipelineRunRow
    own: RunRow
    steps: Mapping[str, PipelineStepRow]
    runs: Mapping[str, RunRow]

    def nodes(self, *statuses: str) -> set[str]:
        """The steps whose runs have one of these statuses."""
        return {node for node, run in self.runs.items() if run.status in statuses}

    @property
    def is_to_stop(self) -> bool:
        """Whether somebody wants its end: by this service, or by run history as of any run."""
        ended = self.own.status in run_history.TERMINAL_STATUSES
        return self.row.cancel_requested or ended or self.own.status == "CancelRequested"

    @property
    def running(self) -> set[str]:
        """The steps that have begun and not ended."""
        return set(self.runs) - self.nodes(*run_history.TERMINAL_STATUSES)


class PipelinesEngine(Engine):
    """Runs pipelines; an item is a pipeline run."""

    name = "pipelines"
    hears = (PipelineChanged, RunEnded)

    def __init__(self, workspace: LocalWorkspace) -> None:
        super().__init__(workspace)
        # Graphs never change, and take a while to read.
        self._graphs: dict[str, Graph] = {}
        self._logs: dict[str, ArtifactLog] = {}

    def unfinished(self) -> Iterable[str]:
        """The pipeline runs that have begun and not ended."""
        with self.workspace.database.read() as session:
            return pipelines.unfinished_runs(session)

    def heard(self, event: Event) -> Iterable[str]:
        """The pipeline run that an event is of."""
        if isinstance(event, PipelineChanged):
            return [event.run_id]
        if isinstance(event, RunEnded):
            # A step of it, or the pipeline run itself.
            return [one for one in (event.parent_run_id, event.run_id) if one]
        return []

    def look(self, key: Any) -> float | None:
        """Start the steps that are ready; end the run when nothing is left to do."""
        with self.workspace.database.read() as session:
            progress = self._progress(session, key)
            if progress is None:
                return None
            graph = self._graph(session, progress.row)
        self._note_all_outputs(graph, progress)
        bad = progress.nodes("Failed", "Canceled")
        if progress.is_to_stop:
            return self._stop(progress, "Canceled", None)
        if bad and not progress.row.continues_on_failure:
            return self._stop(progress, "Failed", self._error(graph, progress, bad))
        done = progress.nodes("Completed")
        ready = [
            node
            for node, step in graph.steps.items()
            if node not in progress.runs and step.needs <= done
        ]
        if ready:
            self._start(progress, graph, ready)
            # What ended at once, by reuse or because it cannot run, is seen at the next look.
            return 0.0
        if progress.running:
            return _LOOK_AGAIN_SECONDS
        if bad:
            return self._stop(progress, "Failed", self._error(graph, progress, bad))
        return self._stop(progress, "Completed", None)

    def fail(self, key: Any, reason: str) -> None:
        """End a pipeline run that cannot go on."""
        with self.workspace.database.read() as session:
            progress = self._progress(session, key)
        if progress is None:
            return
        for node in progress.running:
            self._cancel(progress.steps[node].step_run_id)
        error = {"code": "ServiceError", "message": f"The pipeline could not go on: {reason}"}
        self._end(key, "Failed", error)

    # Parts of a look

    def _progress(self, session: Session, run_id: str) -> Progress | None:
        row = pipelines.find_pipeline_run(session, run_id)
        # The parent of a run that ended need not be a pipeline.
        if row is None or row.state != pipelines.SUBMITTED:
            return None
        steps = pipelines.steps_of(session, run_id)
        runs = {
            node: run_history.get_run(session, step.step_run_id) for node, step in steps.items()
        }
        return Progress(row, run_history.get_run(session, run_id), steps, runs)

    def _graph(self, session: Session, row: PipelineRunRow) -> Graph:
        if row.run_id not in self._graphs:
            found = pipelines.get_graph(session, row.graph_id)
            self._graphs[row.run_id] = pipelines.read_graph(session, found)
        return self._graphs[row.run_id]

    def _note_all_outputs(self, graph: Graph, progress: Progress) -> None:
        for node in sorted(progress.nodes("Completed")):
            self._note_outputs(graph, progress, node)

    def _note_outputs(self, graph: Graph, progress: Progress, node: str) -> None:
        """Note where a step that has completed left its outputs, for those that read them."""
        step = progress.steps[node]
        if step.outputs or not graph.steps[node].outputs:
            return
        with self.workspace.database.write() as session:
            found = pipelines.find_step(session, step.pipeline_run_id, node)
            assert found is not None, "rows of steps stay"
            found.outputs = outputs_of(session, graph.steps[node], progress.runs[node])
            # What is ready next reads them.
            step.outputs = found.outputs

    def _start(self, progress: Progress, graph: Graph, ready: list[str]) -> None:
        run_id = progress.row.run_id
        if not progress.runs:
            with self.workspace.database.write() as session:
                run_history.set_status(session, run_id, "Running")
        self._say(run_id, f"Submitting {len(ready)} steps.")
        for node in ready:
            started = start_step(self.workspace, progress.row, graph.steps[node], progress.steps)
            how = "takes the results of an earlier run" if started.is_reused else "is submitted"
            name = graph.steps[node].name
            self._say(run_id, f"The step '{name}' {how} (run {started.step_run_id}).")

    def _stop(self, progress: Progress, status: str, error: dict[str, Any] | None) -> float | None:
        """End a run, once none of its steps runs any more."""
        if progress.running:
            for node in progress.running:
                self._cancel(progress.steps[node].step_run_id)
            return _LOOK_AGAIN_SECONDS
        self._end(progress.row.run_id, status, error)
        return None

    def _end(self, run_id: str, status: str, error: dict[str, Any] | None) -> None:
        self._say(run_id, f"The pipeline run ends: {status}.")
        log = self._logs.pop(run_id, None)
        if log is not None:
            log.flush()
        with self.workspace.database.write() as session:
            pipelines.get_pipeline_run(session, run_id).state = pipelines.DONE
            run_history.set_status(session, run_id, status, error=error)
        self._graphs.pop(run_id, None)

    def _cancel(self, step_run_id: str) -> None:
        try:
            execution.cancel_run(self.workspace, step_run_id)
        except ServiceError:
            # Its job is gone; without one a run ends by its status alone.
            with self.workspace.database.write() as session:
                run_history.set_status(session, step_run_id, "Canceled")

    def _error(self, graph: Graph, progress: Progress, bad: set[str]) -> dict[str, Any]:
        """Why a pipeline run failed, from its steps that did."""
        said = []
        # Steps that were canceled because another one failed are not the reason.
        bad = progress.nodes("Failed") or bad
        for node in sorted(bad, key=lambda one: graph.steps[one].name):
            run = progress.runs[node]
            reason = str(((run.error or {}).get("error") or {}).get("message") or run.status)
            said.append(f"'{graph.steps[node].name}' ({run.run_id}): {reason.splitlines()[0]}")
        skipped = sorted(
            step.name for node, step in graph.steps.items() if node not in progress.runs
        )
        message = "The pipeline run failed, because of these steps: " + "; ".join(said)
        if skipped:
            message += f". Not begun: {', '.join(skipped)}."
        return {"code": "UserError", "message": message}

    def _say(self, run_id: str, line: str) -> None:
        if run_id not in self._logs:
            self._logs[run_id] = ArtifactLog(
                self.workspace, RUN_ORIGIN, run_container(run_id), _LOG
            )
        self._logs[run_id].say(line)
