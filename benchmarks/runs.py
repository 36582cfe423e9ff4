"""Runs: jobs and what they cost, metrics, pages of runs, memory."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

from benchmarks.harness import Row, in_turns, memory_of, row, seconds
from benchmarks.workspaces import fresh_workspace, scratch, server_pid
from local_workspace.client_environment import server_environment

_MANY_RUNS = 10_000
_MANY_VALUES = 10_000


def _submitter(server, folder: Path, text: str, nodes: int):
    from azureml.core import Environment, Experiment, ScriptRunConfig
    from azureml.core.compute import AmlCompute, ComputeTarget

    (folder / "script.py").write_text(text, encoding="utf-8")
    sizes = AmlCompute.provisioning_configuration(vm_size="STANDARD_DS11_V2", max_nodes=nodes)
    cluster = ComputeTarget.create(server.workspace, "bench", sizes)
    cluster.wait_for_completion()
    environment = Environment("bench")
    environment.python.user_managed_dependencies = True
    config = ScriptRunConfig(
        str(folder), script="script.py", compute_target=cluster, environment=environment
    )
    experiment = Experiment(server.workspace, "bench")
    return lambda: experiment.submit(config)


def _ended(run) -> dict:
    while run.get_status() not in ("Completed", "Failed", "Canceled"):
        time.sleep(0.1)
    details = run.get_details()
    if details["status"] != "Completed":
        raise RuntimeError(f"{run.id}: {details['status']} {details.get('error')}")
    return details


def _moment(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def job_overhead() -> list[Row]:
    """From `submit` until the run's end, minus what the bare script takes."""
    script = "from azureml.core import Run\nrun = Run.get_context()\nprint('done')\n"
    with fresh_workspace() as server, scratch() as folder:
        submit = _submitter(server, folder, script, 1)
        _ended(submit())

        def job() -> float:
            started = datetime.now(timezone.utc).timestamp()
            return _moment(_ended(submit())["endTimeUtc"]) - started

        def bare() -> float:
            code = "print('done')"
            return seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True))

        mine, theirs = in_turns(job, bare, 5)
    over = [one - other for one, other in zip(mine, theirs, strict=True)]
    return [
        row(
            "a warm job beyond its bare script",
            "s",
            "at most 2 s",
            lambda one: one.value <= 2,
            over,
            note="from the call of submit, which uploads the snapshot, to the run's end time; the "
            "script imports azureml.core and gets its run, the bare script only prints",
        )
    ]


def many_jobs() -> list[Row]:
    """Twenty jobs of a second each on two nodes."""
    with fresh_workspace() as server, scratch() as folder:
        submit = _submitter(server, folder, "import time\ntime.sleep(1)\n", 2)
        _ended(submit())
        started = datetime.now(timezone.utc).timestamp()
        runs = [submit() for _ in range(20)]
        took = max(_moment(_ended(run)["endTimeUtc"]) for run in runs) - started
    return [
        row(
            "20 one-second jobs on two nodes",
            "s",
            "at most 20 s",
            lambda one: one.value <= 20,
            [took],
            peer="ten seconds of sleep",
            theirs=[10.0],
        )
    ]


def metrics() -> list[Row]:
    """10,000 metric values through the SDK, and through MLflow's client here and elsewhere."""
    with fresh_workspace() as server, scratch() as folder, _plain_mlflow(folder) as plain:
        import mlflow
        from azureml.core import Experiment

        experiment = Experiment(server.workspace, "metrics")

        def by_sdk() -> float:
            run = experiment.start_logging(snapshot_directory=None, outputs=None)

            def log() -> None:
                for step in range(_MANY_VALUES):
                    run.log(f"metric-{step % 10}", step, step=step // 10)
                run.complete()

            return seconds(log)

        def by_mlflow(uri: str) -> float:
            mlflow.set_tracking_uri(uri)
            client = mlflow.MlflowClient()
            name = f"metrics-{time.time_ns()}"
            run = client.create_run(client.create_experiment(name)).info.run_id
            now = int(time.time() * 1000)

            def log() -> None:
                for start in range(0, _MANY_VALUES, 1000):
                    values = [
                        mlflow.entities.Metric(f"metric-{step % 10}", step, now, step // 10)
                        for step in range(start, start + 1000)
                    ]
                    client.log_batch(run, values)

            return seconds(log)

        uri = server.workspace.get_mlflow_tracking_uri()
        by_mlflow(uri), by_mlflow(plain)
        mine, theirs = in_turns(lambda: by_mlflow(uri), lambda: by_mlflow(plain), 3)
        sdk = [by_sdk() for _ in range(2)]
    return [
        row("10,000 metric values through Run.log", "s", "", None, sdk),
        row(
            "10,000 metric values through MLflow's client, in batches",
            "s",
            "not slower than the peer",
            lambda one: one.ratio is not None and one.ratio <= 1,
            mine,
            peer="a plain mlflow server on SQLite",
            theirs=theirs,
        ),
    ]


class _plain_mlflow:  # noqa: N801 - a context manager, read as a function
    """MLflow's own server on SQLite, in a folder; entering gives its address."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> str:
        import requests

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(port)]
        command += ["--backend-store-uri", f"sqlite:///{self._folder}/plain.db"]
        command += ["--default-artifact-root", str(self._folder / "artifacts")]
        self._process = subprocess.Popen(
            command,
            env=server_environment(os.environ),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                if requests.get(f"{address}/health", timeout=1).ok:
                    return address
            except requests.ConnectionError:
                time.sleep(0.2)
        self.__exit__()
        raise RuntimeError("the plain mlflow server did not start")

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def pages_of_runs() -> list[Row]:
    """A page of 100 runs out of 10,000, and the server's memory then."""
    with fresh_workspace() as server:
        import requests

        from local_workspace.services import metric, run_history
        from local_workspace.store.database import Database

        database = Database(f"sqlite:///{server.paths.database}")
        with database.write() as session:
            experiment = run_history.ensure_experiment(session, "many")
            for number in range(_MANY_RUNS):
                changes = {"status": "Running", "tags": {"number": str(number)}}
                run_history.upsert_run(session, experiment, f"run-{number}", changes)
                values = [metric.scalar("auc", number / _MANY_RUNS)]
                metric.log_values(session, f"run-{number}", values)
        database.close()
        session = requests.Session()
        session.headers.update(server.workspace._auth_object.get_authentication_header())
        history = f"{server.origin}/history/v1.0{server.settings.scope}"

        def page() -> float:
            question = {"top": 100, "filter": "(ParentRunId eq null)"}
            address = f"{history}/experiments/many/runs:query"

            def ask() -> None:
                answer = session.post(address, json=question)
                if len(answer.json()["value"]) != 100:
                    raise RuntimeError("that was not a page of 100 runs")

            return seconds(ask) * 1000

        def one_run() -> float:
            return seconds(lambda: session.get(f"{history}/runs/run-1").raise_for_status()) * 1000

        page(), one_run()
        mine, theirs = in_turns(page, one_run, 15)
        memory = memory_of(server_pid(server))
    return [
        row(
            "a page of 100 runs out of 10,000",
            "ms",
            "at most 50 ms",
            lambda one: one.value <= 50,
            mine,
            peer="a single run",
            theirs=theirs,
        ),
        row("memory of the server after 10,000 runs", "MiB", "", None, [memory]),
    ]
