"""The server itself and the SDK's first steps: start, memory, from_config, small reads."""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks.harness import Row, in_turns, memory_of, row, seconds
from benchmarks.workspaces import fresh_workspace, scratch, server_pid
from local_workspace.pytest_plugin import LocalWorkspaceServer

_IDLE_SECONDS = 3.0


def start() -> list[Row]:
    """From `process.start` until the server answers, and its memory then."""
    memories: list[float] = []
    with scratch() as folder:
        server = LocalWorkspaceServer(folder / "root")

        def healthy() -> float:
            took = seconds(lambda: server.start(0))
            # What it does in the background after a start is part of it.
            time.sleep(_IDLE_SECONDS)
            memories.append(memory_of(server_pid(server)))
            server.stop()
            return took

        def imports() -> float:
            code = "import fastapi, sqlalchemy.orm, uvicorn, cryptography"
            return seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True))

        # The first start makes keys and certificates.
        first = healthy()
        mine, theirs = in_turns(healthy, imports, 3)
    return [
        row(
            "start of an existing workspace until healthy",
            "s",
            "at most 3 s",
            lambda one: one.value <= 3,
            mine,
            peer="importing its libraries only",
            theirs=theirs,
            note=f"the first start of a new workspace took {first:.1f} s",
        ),
        row(
            "memory of the idle server",
            "MiB",
            "at most 250 MiB",
            lambda one: one.value <= 250,
            memories,
            note=f"with all processes it started, {_IDLE_SECONDS:.0f} s after it was healthy",
        ),
    ]


def from_config() -> list[Row]:
    """`Workspace.from_config`, beyond the import of the SDK."""
    with fresh_workspace() as server, scratch() as folder:
        import json

        (folder / "config.json").write_text(json.dumps(server.config), encoding="utf-8")
        code = (
            "import time, sys\n"
            "from azureml.core import Workspace\n"
            "started = time.perf_counter()\n"
            "Workspace.from_config(sys.argv[1])\n"
            "print(time.perf_counter() - started)\n"
        )
        probe = (
            "import time, sys, requests\n"
            "started = time.perf_counter()\n"
            "assert requests.get(sys.argv[1] + '/health').ok\n"
            "print(time.perf_counter() - started)\n"
        )

        def told(text: str, argument: str) -> float:
            done = server.python("-c", text, argument, cwd=folder)
            done.check_returncode()
            return float(done.stdout.split()[-1])

        mine, theirs = in_turns(
            lambda: told(code, str(folder / "config.json")),
            lambda: told(probe, server.origin),
            5,
        )
    return [
        row(
            "Workspace.from_config in a fresh process",
            "s",
            "at most 0.6 s",
            lambda one: one.value <= 0.6,
            mine,
            peer="one request in a fresh process",
            theirs=theirs,
        )
    ]


def small_reads() -> list[Row]:
    """Small reads through the SDK, one after the other."""
    with fresh_workspace() as server, scratch() as scratch_folder:
        import requests
        from azureml.core import Dataset, Datastore, Environment
        from azureml.core.compute import AmlCompute, ComputeTarget

        workspace = server.workspace
        sizes = AmlCompute.provisioning_configuration(vm_size="STANDARD_DS11_V2", max_nodes=1)
        ComputeTarget.create(workspace, "reads", sizes).wait_for_completion()
        lines = scratch_folder / "lines.csv"
        lines.write_text("a,b\n1,2\n", encoding="utf-8")
        store = workspace.get_default_datastore()
        Dataset.File.upload_directory(str(scratch_folder), (store, "reads"), show_progress=False)
        Dataset.File.from_files((store, "reads/lines.csv")).register(workspace, "reads")
        reads = {
            "Datastore.get": lambda: Datastore.get(workspace, "workspaceblobstore"),
            "Dataset.get_by_name": lambda: Dataset.get_by_name(workspace, "reads"),
            "Workspace.compute_targets": lambda: workspace.compute_targets,
            "Environment.get": lambda: Environment.get(workspace, "AzureML-Minimal"),
        }
        header = workspace._auth_object.get_authentication_header()
        session = requests.Session()
        session.headers.update(header)
        scope = f"{server.origin}/datastore/v1.0{server.settings.scope}/datastores"

        def bare() -> float:
            return _rate(lambda: session.get(f"{scope}/workspaceblobstore").raise_for_status())

        rows = []
        for name, read in reads.items():
            read()
            mine, theirs = in_turns(lambda read=read: _rate(read), bare, 3)
            rows.append(
                row(
                    f"{name}, one after the other",
                    "a second",
                    "at least 50 a second",
                    lambda one: one.value >= 50,
                    mine,
                    peer="plain requests on one connection",
                    theirs=theirs,
                    note="signed in by managed identity, the SDK fetches tokens anew in each call, "
                    "two or, for a dataset, six, each on a new TLS connection",
                )
            )
    return rows


def _rate(action) -> float:
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < 1:
        action()
        count += 1
    return count / (time.perf_counter() - started)
