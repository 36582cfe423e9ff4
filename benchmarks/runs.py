"""Runs: jobs and what they cost, metrics, pages of runs, memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from benchmarks import harness
from benchmarks.harness import Row, in_turns, memory_of, row, seconds
from benchmarks.workspaces import free_port, fresh_workspace, scratch, server_pid, service
from local_workspace.client_environment import server_environment
from local_workspace.clock import parse_iso

_MANY_RUNS = 10_000
_RUNS_A_REQUEST = 500
_MANY_VALUES = 10_000
# What MLflow takes in one request.
_AT_ONCE = 1_000
_SINGLE_VALUES = 100


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


def job_overhead() -> list[Row]:
    """From the call of `submit` until a job has ended, minus what its script takes by itself."""
    with fresh_workspace() as server, scratch() as folder:
        submit = _submitter(server, folder, "print('done')\n", 1)

        def job() -> tuple[float, float]:
            started, moment = time.perf_counter(), time.time()
            run = submit()
            run.wait_for_completion()
            waited = time.perf_counter() - started
            return parse_iso(_ended(run)["endTimeUtc"]).timestamp() - moment, waited

        harness.report("the first job")
        first, _ = job()
        measured: list[tuple[float, float]] = []

        def subject() -> float:
            measured.append(job())
            return measured[-1][0]

        _, bare = in_turns(subject, lambda: _bare(folder), 5)
    over = [ended - other for (ended, _), other in zip(measured, bare, strict=True)]
    until_told = [waited - other for (_, waited), other in zip(measured, bare, strict=True)]
    return [
        row(
            "a warm job beyond its bare script",
            "s",
            "at most 2 s",
            lambda one: one.value <= 2,
            over,
            note="from the call of submit, which uploads the snapshot, to the end time in the run; "
            f"the bare script is `python script.py`. The first job of a workspace: {first:.1f} s",
        ),
        row(
            "the same, until wait_for_completion returns",
            "s",
            "",
            None,
            until_told,
            note="wait_for_completion asks every 2 seconds at first, then less often",
        ),
    ]


def many_jobs() -> list[Row]:
    """Twenty jobs of a second each on two nodes, beside the bare scripts, two at a time."""
    count = 20
    with fresh_workspace() as server, scratch() as folder:
        submit = _submitter(server, folder, "import time\ntime.sleep(1)\n", 2)
        harness.report("the first jobs")
        # Both nodes are there.
        for run in [submit(), submit()]:
            _ended(run)
        submitting: list[float] = []

        def jobs() -> float:
            moment = time.time()
            runs = [submit() for _ in range(count)]
            submitting.append(time.time() - moment)
            ends = [parse_iso(_ended(run)["endTimeUtc"]).timestamp() for run in runs]
            return max(ends) - moment

        def bare() -> float:
            with ThreadPoolExecutor(2) as pool:
                return seconds(lambda: list(pool.map(_bare, [folder] * count)))

        mine, theirs = in_turns(jobs, bare, 2)
    return [
        row(
            "20 one-second jobs on two nodes",
            "s",
            "at most 20 s",
            lambda one: one.value <= 20,
            mine,
            peer="the bare scripts, two at a time",
            theirs=theirs,
            note="from the first call of submit to the end time of the last run; one client calls "
            f"submit 20 times in {statistics.median(submitting):.1f} s of that",
        )
    ]


def _bare(folder: Path) -> float:
    return seconds(
        lambda: subprocess.run(
            [sys.executable, "script.py"], cwd=folder, check=True, stdout=subprocess.DEVNULL
        )
    )


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

            took = seconds(log)
            kept = len(run.get_metrics("metric-0")["metric-0"])
            if kept != _MANY_VALUES // 10:
                raise RuntimeError(f"{kept} values of metric-0 were kept")
            return took

        def by_mlflow(uri: str, values: int, at_once: int) -> float:
            client = mlflow.MlflowClient(uri)
            # MLflow's Azure ML plug-in reads this one, whatever the client was given.
            mlflow.set_tracking_uri(uri)
            name = f"metrics-{time.time_ns()}"
            run = client.create_run(client.create_experiment(name)).info.run_id
            now = int(time.time() * 1000)
            batches = [
                [
                    mlflow.entities.Metric(f"metric-{step % 10}", step, now, step // 10)
                    for step in range(start, start + at_once)
                ]
                for start in range(0, values, at_once)
            ]

            def log() -> None:
                for batch in batches:
                    if at_once == 1:
                        [one] = batch
                        client.log_metric(run, one.key, one.value, one.timestamp, one.step)
                    else:
                        client.log_batch(run, batch)

            took = seconds(log)
            kept = len(client.get_metric_history(run, "metric-0"))
            if kept != values // 10:
                raise RuntimeError(f"{kept} values of metric-0 were kept, not {values // 10}")
            return took

        def pairs(values: int, at_once: int, rounds: int) -> tuple[list[float], list[float]]:
            return in_turns(
                lambda: by_mlflow(uri, values, at_once),
                lambda: by_mlflow(plain, values, at_once),
                rounds,
            )

        uri = server.workspace.get_mlflow_tracking_uri()
        harness.report("first values")
        pairs(_AT_ONCE, _AT_ONCE, 1)
        batched, batched_peer = pairs(_MANY_VALUES, _AT_ONCE, 3)
        single, single_peer = pairs(_SINGLE_VALUES, 1, 3)
        sdk, _ = in_turns(by_sdk, None, 2)
    peer = "a plain mlflow server on SQLite"
    return [
        row("10,000 metric values through Run.log, until they are kept", "s", "", None, sdk),
        row(
            f"10,000 metric values through MLflow's client, {_AT_ONCE:,} a request",
            "s",
            "not slower than the peer",
            lambda one: one.ratio is not None and one.ratio <= 1,
            batched,
            peer=peer,
            theirs=batched_peer,
            note="the peer speaks plain HTTP and asks nobody for a token",
        ),
        row(
            f"{_SINGLE_VALUES} metric values through MLflow's client, one a request",
            "s",
            "not slower than the peer",
            lambda one: one.ratio is not None and one.ratio <= 1,
            single,
            peer=peer,
            theirs=single_peer,
            note="for each request the SDK fetches a token two times, each on a new TLS connection",
        ),
    ]


@contextmanager
def _plain_mlflow(folder: Path) -> Iterator[str]:
    """MLflow's own server on SQLite, in a folder; gives its address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    # One client, one request at a time: one worker answers as fast as MLflow's usual four.
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{folder}/plain.db"]
    command += ["--default-artifact-root", str(folder / "artifacts")]
    with service(command, server_environment(os.environ), f"{address}/health"):
        yield address


def pages_of_runs() -> list[Row]:
    """A page of 100 runs out of 10,000, and the memory of the server that took them in."""
    with fresh_workspace() as server:
        import requests
        from azureml.core import Experiment

        experiment = Experiment(server.workspace, "many")
        session = requests.Session()
        session.headers.update(server.workspace._auth_object.get_authentication_header())
        history = f"{server.origin}/history/v1.0{server.settings.scope}"
        before = memory_of(server_pid(server))
        for start in range(0, _MANY_RUNS, _RUNS_A_REQUEST):
            harness.report(f"{start:,} of {_MANY_RUNS:,} runs")
            numbers = range(start, start + _RUNS_A_REQUEST)
            runs = [
                {"runId": f"run-{n}", "status": "Running", "tags": {"number": str(n)}}
                for n in numbers
            ]
            answer = session.patch(
                f"{history}/experimentids/{experiment.id}/batch/runs", json={"runs": runs}
            )
            answer.raise_for_status()
            if len(answer.json()["runs"]) != len(runs):
                raise RuntimeError(f"not all runs were made: {answer.json()['errors']}")
        memory = memory_of(server_pid(server))

        def page(runs: int) -> float:
            # The question of the SDK's Experiment.get_runs(), which asks for 500 at a time.
            question = {
                "top": runs,
                "filter": "(ParentRunId eq null)",
                "orderby": "StartTimeUtc desc",
            }

            def ask() -> None:
                answer = session.post(f"{history}/experiments/many/runs:query", json=question)
                if len(answer.json()["value"]) != runs:
                    raise RuntimeError(f"that was not a page of {runs} runs")

            return seconds(ask) * 1000

        def one_run() -> float:
            return seconds(lambda: session.get(f"{history}/runs/run-1").raise_for_status()) * 1000

        page(100), one_run()
        mine, theirs = in_turns(lambda: page(100), one_run, 25)
        larger, _ = in_turns(lambda: page(500), None, 7)
        after = memory_of(server_pid(server))
    return [
        row(
            "a page of 100 runs out of 10,000",
            "ms",
            "at most 50 ms",
            lambda one: one.value <= 50,
            mine,
            peer="a single run",
            theirs=theirs,
            note="as a client sees it, on an open connection",
        ),
        row("the page of 500 that Experiment.get_runs asks for", "ms", "", None, larger),
        row(
            "memory of the server after 10,000 runs",
            "MiB",
            "at most 250 MiB",
            lambda one: one.value <= 250,
            [after],
            note=f"{before:.0f} MiB before the runs, {memory:.0f} MiB before the pages; the goal "
            "is that of the idle server",
        ),
    ]
