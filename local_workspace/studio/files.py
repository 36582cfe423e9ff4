"""Files of runs and models, sent so that nothing in them can act as a page of the workspace."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO
from urllib.parse import quote

from local_workspace.http import FileResponse
from local_workspace.services import artifact
from local_workspace.store.tables.run_history import RunRow
from local_workspace.workspace import LocalWorkspace

# A page starts with this much of a log's end, and asks for this much at a time.
LOG_BYTES = 128 * 1024

_IMAGES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".bmp": "image/bmp",
    ".svg": "image/svg+xml",
}
_TEXTS = frozenset(
    {".txt", ".log", ".csv", ".tsv", ".json", ".jsonl", ".yml", ".yaml", ".md"}
) | frozenset({".py", ".cfg", ".ini", ".toml", ".xml", ".html", ".sh"})
_HEADERS = {
    # A document of its own origin, without scripts, whatever its content is.
    "Content-Security-Policy": (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class LogPart:
    """Some of a log: its text, the byte where it begins, and the byte where the next part does."""

    text: str
    start: int
    next: int


def file_response(
    workspace: LocalWorkspace, origin: str, container: str, path: str, *, download: bool
) -> FileResponse:
    """An artifact: pictures and text to look at, everything else to save. Raises NotFound."""
    file, found = artifact.open_artifact(workspace, origin, container, path)
    suffix = PurePosixPath(found.path).suffix.lower()
    media_type = "application/octet-stream"
    if suffix in _IMAGES:
        media_type = _IMAGES[suffix]
    elif suffix in _TEXTS:
        # HTML too is shown as the text that it is.
        media_type = "text/plain; charset=utf-8"
    is_shown = not download and media_type != "application/octet-stream"
    name = quote(PurePosixPath(found.path).name)
    disposition = f"{'inline' if is_shown else 'attachment'}; filename*=UTF-8''{name}"
    return FileResponse(
        file,
        found.blob.size,
        media_type=media_type,
        headers={**_HEADERS, "Content-Disposition": disposition},
    )


def read_log(
    workspace: LocalWorkspace, run: RunRow, path: str, start: int | None = None
) -> LogPart:
    """Up to LOG_BYTES of a log from byte `start` on, or of its end. Raises NotFound.

    The part ends with a whole character: a log that is being written may end within one.
    """
    file, found = artifact.open_artifact(
        workspace, artifact.RUN_ORIGIN, run.data_container_id, path
    )
    total = found.blob.size
    begin = max(0, total - LOG_BYTES) if start is None else min(max(0, start), total)
    with file:
        content = _read(file, begin, min(LOG_BYTES, total - begin))
    if start is None and begin > 0:
        # Not with half a line.
        content = content.partition(b"\n")[2] or content
        begin = total - len(content)
    content = _whole_characters(content)
    return LogPart(content.decode("utf-8", "replace"), begin, begin + len(content))


def _read(file: BinaryIO, start: int, count: int) -> bytes:
    file.seek(start)
    return file.read(count)


def _whole_characters(content: bytes) -> bytes:
    """`content` without the beginning of a UTF-8 character at its end."""
    for back in range(1, min(4, len(content)) + 1):
        byte = content[-back]
        if byte & 0xC0 == 0x80:
            continue
        length = (
            2
            if byte >> 5 == 0b110
            else 3
            if byte >> 4 == 0b1110
            else 4
            if byte >> 3 == 0b11110
            else 1
        )
        return content[:-back] if length > back else content
    return content
