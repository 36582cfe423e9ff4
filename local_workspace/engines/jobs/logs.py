"""What jobs print, carried into the artifacts of their runs while they run; and notes of ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from local_workspace.engines.jobs.folders import log_artifact, log_path
from local_workspace.services.artifact import (
    RUN_ORIGIN,
    Artifact,
    ArtifactLog,
    append_artifact,
    artifact_exists,
    get_artifact,
    make_appendable,
    run_container,
)
from local_workspace.services.execution import Job
from local_workspace.store.blobs import BlobError
from local_workspace.store.blobs.properties import APPEND_BLOB
from local_workspace.whole_files import write_whole
from local_workspace.workspace import LocalWorkspace

BUILD_LOG = "azureml-logs/20_image_build_log.txt"
# One append must fit into a block of an append blob (4 MiB).
_CHUNK = 4 * 1024 * 1024
# What is carried in one look at a job: others wait meanwhile.
LOOK_BYTES = 2 * _CHUNK


@dataclass
class _Stream:
    source: Path
    artifact: str
    # How far the source is carried; None until that is asked for.
    position: int | None = None


@dataclass
class JobLogs:
    """The logs of the processes of one job.

    A log's position in its source is the size of its artifact less a shift, which is kept beside
    the source: so that after a crash nothing is carried twice, and nothing is left out.
    """

    workspace: LocalWorkspace
    job: Job
    _streams: list[_Stream] = field(init=False)

    def __post_init__(self) -> None:
        self._streams = [
            _Stream(log_path(self.workspace, self.job, rank), log_artifact(self.job, rank))
            for rank in range(self.job.layout.processes)
        ]

    def carry_on(self, budget: int | None = LOOK_BYTES) -> bool:
        """Append what has come since the last time, at most `budget` bytes (None: all of it).

        Returns whether there is more.
        """
        left = budget
        for stream in self._streams:
            while left is None or left > 0:
                carried = self._carry(stream, _CHUNK if left is None else min(left, _CHUNK))
                if not carried:
                    break
                left = None if left is None else left - carried
        return left is not None and left <= 0

    def note(self, line: str) -> None:
        """Write a line of ours into the log that users watch, and into that of preparations."""
        preparations = build_log_of(self.workspace, self.job.run_id)
        preparations.say(line)
        preparations.flush()
        with open(log_path(self.workspace, self.job, 0), "a", encoding="utf-8") as log:
            log.write(f"{line}\n")

    def _carry(self, stream: _Stream, size: int) -> int:
        """Append up to `size` bytes of a log; how many there were."""
        try:
            with open(stream.source, "rb") as file:
                if stream.position is None:
                    stream.position = self._position(stream)
                file.seek(stream.position)
                data = file.read(size)
        except FileNotFoundError:
            return 0
        if data:
            self._append(stream, data)
            stream.position += len(data)
        return len(data)

    def _position(self, stream: _Stream) -> int:
        """How far a log was carried by whoever carried it before."""
        there = self._artifact(stream)
        size = there.blob.size if there else 0
        shift = _read_shift(stream.source)
        is_ours = there is None or there.blob.blob_type == APPEND_BLOB
        if shift is not None and is_ours and 0 <= size - shift <= stream.source.stat().st_size:
            return size - shift
        # A new log; or its folder was lost, or the artifact deleted or replaced: all that there is
        # now comes below what is there.
        _write_shift(stream.source, size)
        return 0

    def _append(self, stream: _Stream, data: bytes) -> None:
        container = run_container(self.job.run_id)
        try:
            append_artifact(self.workspace, RUN_ORIGIN, container, stream.artifact, data)
        except BlobError as error:
            if error.code != "InvalidBlobType":
                raise
            # The script has put a file of its own there: that stays, and the log goes on below it.
            there = self._artifact(stream)
            size = there.blob.size if there else 0
            _write_shift(stream.source, size - (stream.position or 0))
            make_appendable(self.workspace, RUN_ORIGIN, container, stream.artifact)
            append_artifact(self.workspace, RUN_ORIGIN, container, stream.artifact, data)

    def _artifact(self, stream: _Stream) -> Artifact | None:
        container = run_container(self.job.run_id)
        if not artifact_exists(self.workspace, RUN_ORIGIN, container, stream.artifact):
            return None
        return get_artifact(self.workspace, RUN_ORIGIN, container, stream.artifact)


def build_log_of(workspace: LocalWorkspace, run_id: str) -> ArtifactLog:
    """The log of a run's preparations."""
    return ArtifactLog(workspace, RUN_ORIGIN, run_container(run_id), BUILD_LOG)


def _shift_file(source: Path) -> Path:
    return source.with_name(f"{source.name}.shift")


def _read_shift(source: Path) -> int | None:
    try:
        return int(_shift_file(source).read_text())
    except FileNotFoundError:
        return None


def _write_shift(source: Path, shift: int) -> None:
    write_whole(_shift_file(source), str(shift))
