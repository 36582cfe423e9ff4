"""A blob service in a process of its own, for the tests that kill it or limit it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from blob_server import BlobServer

from local_workspace.store.blobs import BlobStore

_SCRIPT = """
import resource, sys
from pathlib import Path

folder, limit = Path(sys.argv[1]), int(sys.argv[2])
from blob_server import running_server

with running_server(folder) as server:
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    print(server.port, flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def server_process(
    folder: Path, *, largest_file: int = 0, within: tuple[str, ...] = ()
) -> Iterator[tuple[BlobServer, subprocess.Popen]]:
    """A server with its files in `folder`, and its process; killed at the end.

    `largest_file` is a limit in bytes that the operating system keeps. `within` is a command that
    runs the command which follows it.
    """
    here = Path(__file__).parent
    process = subprocess.Popen(
        [*within, sys.executable, "-c", _SCRIPT, str(folder), str(largest_file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(here), str(here.parents[1])])},
    )
    try:
        line = process.stdout.readline()
        assert line, "the server did not start"
        yield BlobServer(int(line), folder / "ca.pem", BlobStore(folder / "blobs")), process
    finally:
        process.kill()
        process.communicate()
