"""Uncommitted blocks: files outside the data tree until Put Block List makes a blob of them."""

from __future__ import annotations

import base64
import binascii
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass

from local_workspace.store.blobs.blob_errors import BlobError
from local_workspace.store.blobs.on_disk import Layout, TemporaryFile
from local_workspace.store.blobs.properties import BLOCK_BLOB, BlobProperties

MAX_COMMITTED_BLOCKS = 50_000
MAX_UNCOMMITTED_BLOCKS = 100_000
MAX_BLOCK_ID_BYTES = 64
KEPT_SECONDS = 7 * 24 * 3600.0  # Azure discards uncommitted blocks after a week
ORPHANS_KEPT_SECONDS = 3600.0  # those from before a restart: no client goes on after so long

COMMITTED, UNCOMMITTED, LATEST = "Committed", "Uncommitted", "Latest"


@dataclass(frozen=True)
class _Part:
    """Where the bytes of one block of the new blob come from."""

    block_id: str
    path: str | None  # None: the present blob
    offset: int
    size: int


def _file_name(block_id: str) -> str:
    """The file name of a block: its id in hexadecimal (base64 has '/' and case).

    Raises BlobError `InvalidBlockId` unless the id is base64 of 1 to 64 bytes.
    """
    try:
        raw = base64.b64decode(block_id, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BlobError("InvalidBlockId", f"('{block_id}')") from error
    if not 1 <= len(raw) <= MAX_BLOCK_ID_BYTES:
        raise BlobError("InvalidBlockId", f"It has 1 to {MAX_BLOCK_ID_BYTES} bytes ('{block_id}').")
    return raw.hex()


class Room:
    """How many more uncommitted blocks a blob takes, without counting them at each one.

    They are counted when nothing is known of their folder and when as many were added as it had
    room for, whether or not those replaced others: what is remembered may be too little, never
    too much.
    """

    _MOST_REMEMBERED = 1_000

    def __init__(self) -> None:
        self._left: dict[str, int] = {}

    def take(self, folder: str) -> bool:
        """Whether a new block finds room in `folder`, which is then one block fuller."""
        left = self._left.get(folder, 0) or MAX_UNCOMMITTED_BLOCKS - len(os.listdir(folder))
        if len(self._left) >= self._MOST_REMEMBERED:
            self._left.clear()
        self._left[folder] = max(left - 1, 0)
        return left > 0


def stage(
    layout: Layout,
    account: str,
    container: str,
    name: str,
    block_id: str,
    file: TemporaryFile,
    room: Room,
) -> None:
    """Keep `file` as an uncommitted block of a blob.

    Raises BlobError when the id is invalid or has another length than that of the blob's other
    uncommitted blocks, or when there are too many.
    """
    file_name = _file_name(block_id)
    folder = layout.blocks_of(account, container, name)
    os.makedirs(folder, exist_ok=True)
    with os.scandir(folder) as entries:
        other = next(entries, None)
    if other and len(other.name) != len(file_name):
        raise BlobError("InvalidBlobOrBlock", "All block IDs of a blob must have the same length.")
    path = os.path.join(folder, file_name)
    if not room.take(folder) and not os.path.exists(path):
        raise BlobError("BlockCountExceedsLimit", f"({MAX_UNCOMMITTED_BLOCKS:,} uncommitted)")
    file.publish(path)


def uncommitted(layout: Layout, account: str, container: str, name: str) -> dict[str, int]:
    """The uncommitted blocks of a blob as id -> bytes, in the order of their ids."""
    folder = layout.blocks_of(account, container, name)
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        return {}
    return {
        base64.b64encode(bytes.fromhex(entry.name)).decode(): entry.stat().st_size
        for entry in entries
    }


def discard(layout: Layout, account: str, container: str, name: str) -> None:
    """Forget the uncommitted blocks of a blob."""
    discarded = layout.new_temporary()
    try:
        os.rename(layout.blocks_of(account, container, name), discarded)
    except FileNotFoundError:
        return
    shutil.rmtree(discarded, ignore_errors=True)  # what stays is swept at the next start


def resolve(
    layout: Layout,
    account: str,
    container: str,
    name: str,
    entries: Iterable[tuple[str, str]],
    present: BlobProperties | None,
) -> list[_Part]:
    """Where the blocks in `entries`, (kind, id) each, come from.

    Raises BlobError `InvalidBlockList` when one of them does not exist, `BlockListTooLong`.
    """
    folder = layout.blocks_of(account, container, name)
    waiting = uncommitted(layout, account, container, name)
    committed: dict[str, _Part] = {}
    if present is not None and present.blob_type == BLOCK_BLOB:
        offset = 0
        for block_id, size in present.blocks:
            committed[block_id] = _Part(block_id, None, offset, size)
            offset += size
    parts = []
    for kind, block_id in entries:
        file_name = _file_name(block_id)
        # Base64 has several spellings of the same bytes.
        block_id = base64.b64encode(bytes.fromhex(file_name)).decode()
        if kind != COMMITTED and block_id in waiting:
            path = os.path.join(folder, file_name)
            parts.append(_Part(block_id, path, 0, waiting[block_id]))
        elif kind != UNCOMMITTED and block_id in committed:
            parts.append(committed[block_id])
        else:
            raise BlobError("InvalidBlockList", f"(no {kind.lower()} block '{block_id}')")
        if len(parts) > MAX_COMMITTED_BLOCKS:
            raise BlobError("BlockListTooLong")
    return parts


def assemble(parts: list[_Part], present: int | None, target: TemporaryFile) -> None:
    """Write the bytes of `parts` into `target`; `present` is the open data file of the blob.

    Raises BlobError `InvalidBlockList` when a block has vanished because of another commit.
    """
    for part in parts:
        if part.path is None:
            if present is None:
                raise BlobError("InvalidBlockList", "(the blob was deleted meanwhile)")
            target.append_range(present, part.offset, part.size)
            continue
        try:
            source = os.open(part.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise BlobError(
                "InvalidBlockList", f"(another commit took block '{part.block_id}')"
            ) from error
        try:
            target.append_range(source, part.offset, part.size)
        finally:
            os.close(source)
