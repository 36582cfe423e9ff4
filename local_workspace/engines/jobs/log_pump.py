"""Carries what jobs print into the artifacts of their runs, while they run."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from local_workspace.services.artifact import (
    RUN_ORIGIN,
    append_artifact,
    artifact_exists,
    get_artifact,
    run_container,
)
from local_workspace.workspace import LocalWorkspace

# One append must fit into a block of an append blob (4 MiB).
_CHUNK = 4 * 1024 * 1024


@dataclass
class _Stream:
    run_id: str
    source: Path
    artifact: str
    position: int


class LogPump:
    """Appends new output of processes to their artifacts; safe to call from several threads."""

    def __init__(self, workspace: LocalWorkspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._streams: list[_Stream] = []

    def follow(self, run_id: str, source: Path, artifact: str) -> None:
        """Carry on the file `source` into the artifact of the run, from where that ends."""
        position = 0
        if artifact_exists(self._workspace, RUN_ORIGIN, run_container(run_id), artifact):
            found = get_artifact(self._workspace, RUN_ORIGIN, run_container(run_id), artifact)
            position = found.blob.size
        with self._lock:
            self._streams.append(_Stream(run_id, source, artifact, position))

    def carry_on(self) -> None:
        """Append what has come since the last time."""
        with self._lock:
            for stream in self._streams:
                self._carry(stream)

    def close(self, run_id: str) -> None:
        """Append the last of a run's output and stop following it."""
        with self._lock:
            for stream in [one for one in self._streams if one.run_id == run_id]:
                self._carry(stream)
                self._streams.remove(stream)

    def _carry(self, stream: _Stream) -> None:
        try:
            with open(stream.source, "rb") as file:
                file.seek(stream.position)
                while data := file.read(_CHUNK):
                    container = run_container(stream.run_id)
                    append_artifact(self._workspace, RUN_ORIGIN, container, stream.artifact, data)
                    stream.position += len(data)
        except FileNotFoundError:
            return
