"""The server itself and the SDK's first steps: start, memory, from_config, small reads."""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks.harness import Row, in_turns, memory_of, row, seconds
from benchmarks.workspaces import fresh_workspace, scratch, server_pid
from local_workspace.pytest_plugin import LocalWorkspaceServer


def start() -> list[Row]:
    """From `process.start` until the server answers, and its memory then."""
    memories: list[float] = []
    with scratch() as folder:
        server = LocalWorkspaceServer(folder / "root")

        def healthy() -> float:
            took = seconds(lambda: server.start(0))
            memories.append(memory_of(server_pid(server)))
            server.stop()
            return took

        def imports() -> float:
            code = "import fastapi, sqlalchemy.orm, uvicorn, cryptography"
            return seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True))

        # The first start makes keys and certificates.
        first = healthy()
        mine, theirs = in_turns(healthy, imports, 5)
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
            7,
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
    with fresh_workspace() as server:
        import requests
        from azureml.core import Datastore, Environment
        from azureml.core.compute import AmlCompute, ComputeTarget

        workspace = server.workspace
        sizes = AmlCompute.provisioning_configuration(vm_size="STANDARD_DS11_V2", max_nodes=1)
        ComputeTarget.create(workspace, "reads", sizes).wait_for_completion()
        reads = {
            "Datastore.get": lambda: Datastore.get(workspace, "workspaceblobstore"),
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
                )
            )
        for one in rows[:1]:
            note = (
                "the SDK fetches a token, on a new connection, before each call when it signs in "
                "by managed identity"
            )
            rows[0] = Row(**{**one.__dict__, "note": note})
    return rows


def _rate(action) -> float:
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < 1.5:
        action()
        count += 1
    return count / (time.perf_counter() - started)
