"""Experiments and runs that live in memory, behind the signatures of the SDK.

`Experiment` of a lesson becomes a double that makes runs; what a lesson logs, tags and uploads is
kept in the run's `Record`. A submitted script is really run, in this process, with the run it
belongs to as its context: its metrics and files are those of the script.
"""

import contextlib
import copy
import io
import json
import os
import runpy
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import create_autospec

import matplotlib.pyplot as plt
from azureml.core import Experiment, Run, ScriptRun, ScriptRunConfig
from azureml.core.run import _SubmittedRun
from azureml.data.dataset_consumption_config import DatasetConsumptionConfig

STARTED, ENDED = "2024-05-01T10:00:00.0Z", "2024-05-01T10:01:30.0Z"


@dataclass
class Record:
    """What is known of a run."""

    run_id: str
    name: str
    experiment: str
    parent: str | None = None
    status: str = "Running"
    metrics: dict = field(default_factory=dict)
    charts: dict = field(default_factory=dict)
    steps: dict = field(default_factory=dict)
    tags: dict = field(default_factory=dict)
    properties: dict = field(default_factory=dict)
    files: dict = field(default_factory=dict)
    inputs: dict = field(default_factory=dict)
    log: str = ""


class RunsInMemory:
    """The runs of a workspace.

    Attributes:
        records: what is known of each run, the oldest first.
        submitted: the configurations that were submitted.
        Experiment: the double that a lesson imports.
    """

    def __init__(self, workspace, sdk):
        self.records: list[Record] = []
        self.submitted: list[ScriptRunConfig] = []
        self._sdk = sdk
        self.Experiment = sdk.replace("azureml.core.Experiment")
        self.Experiment.side_effect = self._experiment
        sdk.method(Run, "get", side_effect=self._get)
        sdk.method(Run, "list", side_effect=self._list)

    def named(self, name):
        """The newest record of this name."""
        return [record for record in self.records if record.name == name][-1]

    def run(self, kind=Run, *, name="run", experiment="experiment", parent=None, run_id=None):
        """A new run that is being logged, an instance of the class `kind`."""
        run_id = run_id or f"{experiment}_{len(self.records) + 1}"
        self.records.append(Record(run_id, name, experiment, parent))
        return self._double(self.records[-1], kind)

    def record_of(self, run):
        """The record of a double of a run."""
        return next(record for record in self.records if record.run_id == run.id)

    def new_job(self, experiment, tags):
        """The id of a job that is about to be made; None for one of ours."""
        return None

    def job_environment(self, record):
        """The context in which the script of a job runs."""
        return contextlib.nullcontext()

    def _experiment(self, workspace, name):
        double = create_autospec(Experiment, instance=True)
        double.name = name
        # The SDK takes any keyword here and hands them on; these are the ones it knows.
        double.start_logging.side_effect = (
            lambda display_name="run", outputs=None, snapshot_directory=".": self.run(
                name=display_name, experiment=name
            )
        )
        double.submit.side_effect = lambda config, tags=None: self._submit(name, config, tags)
        double.get_runs.side_effect = lambda tags=None, properties=None, include_children=False: (
            self._select(name, tags, properties, include_children=include_children)
        )
        return double

    def _double(self, record, kind):
        run = create_autospec(kind, instance=True)
        run.id, run.display_name, run.status = record.run_id, record.name, record.status
        run.get_portal_url.side_effect = lambda: f"https://portal/runs/{record.run_id}"
        run.get_status.side_effect = lambda: record.status
        run.get_file_names.side_effect = lambda: sorted(record.files)
        run.log.side_effect = lambda name, value, description="", step=None: _log(
            record, name, value, step
        )
        run.log_list.side_effect = lambda name, value, description="": _keep(record, name, value)
        run.log_row.side_effect = lambda name, description=None, **row: _log_row(record, name, row)
        run.log_table.side_effect = lambda name, value, description="": _keep(record, name, value)
        for chart in ("accuracy_table", "confusion_matrix", "residuals", "predictions"):
            log_chart = getattr(run, f"log_{chart}")
            log_chart.side_effect = _chart_logger(record, chart)
        run.log_image.side_effect = lambda name, path=None, plot=None, description="": _log_image(
            record, name, path, plot
        )
        run.tag.side_effect = lambda key, value=None: record.tags.update({key: value})
        run.add_properties.side_effect = lambda properties: _add_properties(record, properties)
        run.upload_file.side_effect = lambda name, path_or_stream: record.files.update(
            {name: Path(path_or_stream).read_bytes()}
        )
        run.download_file.side_effect = lambda name, output_file_path: Path(
            output_file_path
        ).write_bytes(record.files[name])
        run.get_metrics.side_effect = lambda name=None: {
            key: copy.deepcopy(value)
            for key, value in sorted(record.metrics.items())
            if name in (None, key)
        }
        run.complete.side_effect = lambda: setattr(record, "status", "Completed")
        run.child_run.side_effect = lambda name=None: self.run(
            name=name, experiment=record.experiment, parent=record.run_id
        )
        run.get_children.side_effect = lambda: (
            self._double(child, Run)
            for child in reversed(self.records)
            if child.parent == record.run_id
        )
        run.__enter__.return_value = run
        run.__exit__.side_effect = lambda kind, *_: setattr(
            record, "status", "Completed" if kind is None else "Failed"
        )
        return run

    def _select(self, experiment, tags=None, properties=None, status=None, include_children=False):
        for record in reversed(self.records):
            if (
                record.experiment == experiment
                and (tags or {}).items() <= record.tags.items()
                and (properties or {}).items() <= record.properties.items()
                and status in (None, record.status)
                and (include_children or record.parent is None)
            ):
                yield self._double(record, Run)

    def _list(self, experiment, **conditions):
        return self._select(experiment.name, **conditions)

    def _get(self, workspace, run_id):
        (record,) = [record for record in self.records if record.run_id == run_id]
        return self._double(record, Run)

    def _submit(self, experiment, config, tags):
        assert isinstance(config, ScriptRunConfig)
        self.submitted.append(config)
        run_id = self.new_job(experiment, tags or {})
        run = self.run(ScriptRun, name="job", experiment=experiment, run_id=run_id)
        record = self.record_of(run)
        record.tags.update(tags or {})
        run.wait_for_completion.side_effect = lambda show_output=False, raise_on_error=True: (
            self._execute(config, record, show_output)
        )
        return run

    def _execute(self, config, record, show_output):
        given = [item for item in config.arguments if isinstance(item, DatasetConsumptionConfig)]
        record.inputs = {item.name: item.dataset for item in given}
        arguments = [
            f"id-of-{item.name}" if item in given else str(item) for item in config.arguments
        ]
        context = self._double(record, _SubmittedRun)
        context.input_datasets = record.inputs
        script = Path(config.source_directory, config.script).resolve()
        folder = Path("job")
        with self.job_environment(record):
            record.log = run_script(self._sdk, script, arguments, context, folder)
        for path in folder.rglob("*"):
            if path.is_file():
                record.files[path.relative_to(folder).as_posix()] = path.read_bytes()
        shutil.rmtree(folder)
        record.status = "Completed"
        if show_output:
            print(record.log)
        return {
            "status": record.status,
            "target": config.run_config.target,
            "startTimeUtc": STARTED,
            "endTimeUtc": ENDED,
            "inputDatasets": [
                {"dataset": dataset, "consumptionDetails": {"inputName": name}}
                for name, dataset in record.inputs.items()
            ],
        }


def run_script(sdk, script, arguments, context, folder):
    """Run a script of `experiments/` in `folder`, with `context` as its run; gives its output."""
    folder.mkdir(exist_ok=True)
    (folder / "outputs").mkdir(exist_ok=True)
    output, before, here = io.StringIO(), sys.argv, os.getcwd()
    sdk.method(Run, "get_context", return_value=context)
    sys.argv = [str(script), *arguments]
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(output):
            runpy.run_path(str(script), run_name="__main__")
    finally:
        plt.close("all")
        os.chdir(here)
        sys.argv = before
    return output.getvalue()


def _log(record, name, value, step):
    assert isinstance(value, (int, float, str)), f"{name}: {type(value).__name__} is not a scalar"
    value = json.loads(json.dumps(value))  # it comes back as Python's own number
    record.steps.setdefault(name, []).append(step)
    if name not in record.metrics:
        record.metrics[name] = value
        return
    before = record.metrics[name]
    record.metrics[name] = [*(before if isinstance(before, list) else [before]), value]


def _keep(record, name, value):
    for column in value.values() if isinstance(value, dict) else [value]:
        _check_numbers(column)
    record.metrics[name] = value


def _check_numbers(values):
    """As the SDK does: numpy's integers are none of Python's numbers."""
    for value in values:
        if not isinstance(value, (float, int, str, type(None))):
            raise TypeError(f"Value of type {type(value)} is not supported")


def _log_row(record, name, row):
    table = record.metrics.setdefault(name, {column: [] for column in row})
    assert set(table) == set(row)
    _check_numbers(row.values())
    for column, value in row.items():
        table[column].append(value)


def _chart_logger(record, kind):
    def log(name, value, description=""):
        assert value["schema_type"] == kind
        record.charts[name] = value["data"]
        record.metrics[name] = f"aml://artifactId/ExperimentRun/dcid.{record.run_id}/{name}"
        record.files[name] = json.dumps(value).encode()

    return log


def _log_image(record, name, path, plot):
    picture = io.BytesIO()
    plot.savefig(picture, format="png")
    record.files[f"{name}_1.png"] = picture.getvalue()
    record.metrics[name] = f"aml://artifactId/ExperimentRun/dcid.{record.run_id}/{name}_1.png"


def _add_properties(record, properties):
    assert not set(properties) & set(record.properties), "properties cannot be changed"
    record.properties.update(properties)
