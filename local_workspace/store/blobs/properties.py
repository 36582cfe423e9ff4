"""What is known of a blob beside its bytes, and how that is kept beside the plain file.

A blob is two files: its data, and a small JSON file of properties in a tree of its own. Two files
cannot be replaced in one step, so the JSON file may describe two versions of the data: while a new
version comes into place it holds the new one and the present one, and which of them counts is told
by the data file itself (its size and its time of modification, which no two versions share). The
rename of the data file is therefore the one moment at which a blob changes: a process that dies
before it leaves the old blob, after it the new one, each with its own properties.

A file that no version describes was put there by hand. It is a blob too, with usual properties.
"""

from __future__ import annotations

import dataclasses
import json
import mimetypes
import os
import re
import stat
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from local_workspace.store.blobs.blob_errors import BlobError

BLOCK_BLOB = "BlockBlob"
APPEND_BLOB = "AppendBlob"
DEFAULT_CONTENT_TYPE = "application/octet-stream"

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_TICKS_AT_EPOCH = 621_355_968_000_000_000  # 100 ns since year 1, as .NET counts
_METADATA_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_MAX_METADATA_BYTES = 8 * 1024


@dataclass(frozen=True)
class BlobProperties:
    """The properties of one blob.

    `size` is in bytes, `etag` without quotes, `content_md5` in base64 (empty when unknown).
    `blocks` are the committed blocks of a block blob as (id in base64, bytes); `block_count` counts
    the appended blocks of an append blob. `copy` tells of the copy that made the blob.
    """

    name: str
    size: int
    etag: str
    created: datetime
    modified: datetime
    blob_type: str = BLOCK_BLOB
    content_type: str = DEFAULT_CONTENT_TYPE
    content_encoding: str = ""
    content_language: str = ""
    content_disposition: str = ""
    cache_control: str = ""
    content_md5: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    blocks: tuple[tuple[str, int], ...] = ()
    block_count: int = 0
    copy: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Version:
    """Properties together with what the data file they belong to looks like."""

    properties: BlobProperties
    modified_ns: int
    inode: int

    def describes(self, status: os.stat_result) -> bool:
        """Whether the data file with this `status` is this version.

        An append blob grows in place: its file is the same inode, and bytes beyond the recorded
        size are what a process left that died while it appended.
        """
        if self.properties.blob_type == APPEND_BLOB:
            return status.st_ino == self.inode and status.st_size >= self.properties.size
        return status.st_size == self.properties.size and status.st_mtime_ns == self.modified_ns


class _Clock:
    """Time that never repeats, so that no two versions of a blob have one ETag."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def tick(self) -> int:
        """100 ns units since 1970, later than any before."""
        with self._lock:
            self._last = max(self._last + 1, time.time_ns() // 100)
            return self._last


_clock = _Clock()


def new_moment() -> int:
    """A moment for a new version, in 100 ns units since 1970, never the same twice."""
    return _clock.tick()


def to_datetime(moment: int) -> datetime:
    """`moment` (100 ns units since 1970) as an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=moment // 10)


def to_etag(moment: int) -> str:
    """The ETag of a version made at `moment`, in the form of Azure: the ticks in hexadecimal."""
    return f"0x{moment + _TICKS_AT_EPOCH:X}"


def stamped(properties: BlobProperties, created: datetime | None = None) -> BlobProperties:
    """`properties` with a new ETag and time of modification."""
    moment = new_moment()
    modified = to_datetime(moment)
    return dataclasses.replace(
        properties, etag=to_etag(moment), modified=modified, created=created or modified
    )


def guess_content_type(name: str) -> str:
    """The content type that goes with the extension of `name`."""
    return mimetypes.guess_type(name)[0] or DEFAULT_CONTENT_TYPE


def new_properties(name: str, **values: Any) -> BlobProperties:
    """Properties of a blob that is being written: no ETag or times before it is `stamped`.

    Raises BlobError when the metadata or a text cannot be sent as an HTTP header.
    """
    check_metadata(values.get("metadata", {}))
    for key, value in values.items():
        if isinstance(value, str) and not _is_header_value(value):
            raise BlobError("InvalidInput", f"{key} contains characters that no header can have.")
    return BlobProperties(name=name, size=0, etag="", created=_EPOCH, modified=_EPOCH, **values)


def _is_header_value(value: str) -> bool:
    return value.isascii() and not _CONTROL.search(value)


def check_metadata(metadata: Mapping[str, str]) -> None:
    """Raise BlobError unless the names are C# identifiers, the values header values, within 8 KiB.

    Azure's rule: "Naming and referencing containers, blobs, and metadata".
    """
    for name, value in metadata.items():
        if not _METADATA_NAME.fullmatch(name):
            raise BlobError(
                "InvalidMetadata",
                f"The name '{name}' must start with a letter or '_' and contain only letters, "
                "digits and '_'.",
            )
        if not _is_header_value(value):
            raise BlobError("InvalidMetadata", f"The value of '{name}' must be printable ASCII.")
    if sum(len(name) + len(value) for name, value in metadata.items()) > _MAX_METADATA_BYTES:
        raise BlobError("MetadataTooLarge", "All names and values together may have 8 KiB.")


def version_of(properties: BlobProperties, status: os.stat_result) -> Version:
    """The version made of `properties` and the data file with `status`."""
    return Version(properties, status.st_mtime_ns, status.st_ino)


def found_by_hand(name: str, status: os.stat_result) -> Version:
    """The version of a data file that nothing describes."""
    moment = status.st_mtime_ns // 100
    properties = BlobProperties(
        name=name,
        size=status.st_size,
        etag=to_etag(moment),
        created=to_datetime(moment),
        modified=to_datetime(moment),
        content_type=guess_content_type(name),
    )
    return version_of(properties, status)


def read_version(path: str, name: str, status: os.stat_result) -> Version | None:
    """The version that the properties file `path` gives for the data file with `status`.

    None when the file belongs to a blob of another name: a file system that does not tell `A` from
    `a` led to it.
    """
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        versions = [_parse(item) for item in document["versions"]]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        # Missing, or cut short by a loss of power: the data are what they are.
        return found_by_hand(name, status)
    match = next((version for version in versions if version.describes(status)), None)
    if match is None and len(versions) == 1:
        # An append blob of a folder that was copied, which gave the file another inode.
        moved = dataclasses.replace(versions[0], inode=status.st_ino)
        match = moved if moved.describes(status) else None
    if match is None:
        return found_by_hand(name, status)
    return match if match.properties.name == name else None


def write_versions(path: str, versions: list[Version]) -> None:
    """Write a properties file and see it safe on the disk."""
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"versions": [_format(version) for version in versions]}, file)
        file.flush()
        os.fsync(file.fileno())


def _format(version: Version) -> dict[str, Any]:
    # Not dataclasses.asdict: it copies every block, and this runs at every write.
    values = dict(version.properties.__dict__)
    values["created"] = version.properties.created.isoformat()
    values["modified"] = version.properties.modified.isoformat()
    return {"modified_ns": version.modified_ns, "inode": version.inode, "properties": values}


def _parse(item: dict[str, Any]) -> Version:
    values = item["properties"]
    values["created"] = datetime.fromisoformat(values["created"])
    values["modified"] = datetime.fromisoformat(values["modified"])
    values["blocks"] = tuple((block, size) for block, size in values["blocks"])
    return Version(BlobProperties(**values), item["modified_ns"], item["inode"])


def is_regular(status: os.stat_result) -> bool:
    """Whether `status` (of lstat) is that of a plain file: no folder, link or device."""
    return stat.S_ISREG(status.st_mode)
