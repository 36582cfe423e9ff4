"""Logs among the artifacts that grow line by line.

An append is only over when it is safe on the disk, which takes milliseconds: lines that come close
upon each other are appended together.
"""

from __future__ import annotations

import logging
import threading
import time

from local_workspace.services.artifact.records import append_artifact
from local_workspace.store.blobs import BlobError
from local_workspace.workspace import LocalWorkspace

_log = logging.getLogger(__name__)

# How long a line may wait for others, and how long until an append that failed is tried again.
_SECONDS = 0.5
_SECONDS_AFTER_A_FAILURE = 5.0
# How much may wait, in bytes; one append must fit into a block of an append blob.
_MOST_BYTES = 256 * 1024


class ArtifactLog:
    """A log; lines may come from several threads.

    A line is in the artifact half a second after it was said, or when `flush` returns.
    """

    def __init__(self, workspace: LocalWorkspace, origin: str, container: str, path: str) -> None:
        self._workspace = workspace
        self._place = (origin, container, path)
        self._lock = threading.Lock()
        self._pending = bytearray()
        # Held while the artifact is written, so that nobody's lines overtake those of another.
        self._writing = threading.Lock()

    def say(self, line: str) -> None:
        """Write a line, soon. Raises nothing: what cannot be written now is tried again."""
        with self._lock:
            self._pending += f"{line}\n".encode("utf-8", "replace")
            is_full = len(self._pending) > _MOST_BYTES
        if is_full:
            _try_to_flush(self)
        else:
            _writer.add(self, _SECONDS)

    def flush(self) -> None:
        """See everything that was said safe in the artifact.

        Raises BlobError when it cannot be written now; it is kept and tried again.
        """
        with self._writing:
            while True:
                with self._lock:
                    batch = bytes(self._pending[:_MOST_BYTES])
                if not batch:
                    return
                try:
                    append_artifact(self._workspace, *self._place, batch)
                except BlobError as error:
                    if error.code != "InvalidBlobType":
                        raise
                    # A user has put a file of their own in its place, which stays.
                    _log.warning("%s is no log any more", "/".join(self._place))
                with self._lock:
                    del self._pending[: len(batch)]


class _Writer:
    """Writes logs when their lines have waited long enough; its thread ends when none has any."""

    def __init__(self) -> None:
        self._wake = threading.Condition()
        self._due: dict[ArtifactLog, float] = {}
        self._thread: threading.Thread | None = None

    def add(self, log: ArtifactLog, seconds: float) -> None:
        """Have a log written in so many seconds, if not before."""
        with self._wake:
            self._due.setdefault(log, time.monotonic() + seconds)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="logs", daemon=True)
                self._thread.start()
            self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                if not self._due:
                    self._thread = None
                    return
                now = time.monotonic()
                due = [log for log, moment in self._due.items() if moment <= now]
                if not due:
                    self._wake.wait(min(self._due.values()) - now)
                for log in due:
                    del self._due[log]
            for log in due:
                _try_to_flush(log)


_writer = _Writer()


def _try_to_flush(log: ArtifactLog) -> None:
    try:
        log.flush()
    except Exception:
        _log.exception("A log could not be written: it is tried again")
        _writer.add(log, _SECONDS_AFTER_A_FAILURE)
