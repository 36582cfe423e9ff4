"""Blobs of a datastore as files of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from local_workspace.services.datastore import BlobLocation
from local_workspace.store.blobs import BlobProperties, BlobStore

_PAGE = 1000
_CHUNK = 1024 * 1024


def blobs_at(store: BlobStore, location: BlobLocation, path: str) -> list[BlobProperties]:
    """The blob named `path`, or else all below that folder; an empty path is the whole container.

    Raises BlobError.
    """
    place = (location.account, location.container)
    if path and store.exists(*place, path):
        return [store.properties(*place, path)]
    found: list[BlobProperties] = []
    start: str | None = ""
    while start is not None:
        page = store.list(*place, f"{path}/" if path else "", start=start, limit=_PAGE)
        # What ends with a slash stands for a folder in other tools.
        found += [blob for blob in page.blobs if not blob.name.endswith("/")]
        start = page.next_start
    return found


def copy_blob(store: BlobStore, location: BlobLocation, blob: BlobProperties, target: Path) -> None:
    """Write a blob into a file, which is there whole or not at all. Raises BlobError, OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f"{target.name}.new")
    with (
        store.open(location.account, location.container, blob.name) as source,
        open(new, "wb") as file,
    ):
        for chunk in _chunks(source, blob.size):
            file.write(chunk)
    os.replace(new, target)


def is_same(store: BlobStore, location: BlobLocation, blob: BlobProperties, path: Path) -> bool:
    """Whether a file has the content of a blob. Raises BlobError, OSError."""
    if not path.is_file() or path.stat().st_size != blob.size:
        return False
    with (
        store.open(location.account, location.container, blob.name) as there,
        open(path, "rb") as here,
    ):
        chunks = zip(_chunks(there, blob.size), _chunks(here, blob.size), strict=True)
        return all(one == other for one, other in chunks)


def _chunks(file: BinaryIO, size: int) -> Iterator[bytes]:
    """The first `size` bytes of a file: a blob that is appended to has more already."""
    while size > 0 and (chunk := file.read(min(size, _CHUNK))):
        size -= len(chunk)
        yield chunk
