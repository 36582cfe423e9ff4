"""Conditional headers and ranges.

Source: "Specifying conditional headers for Blob service operations" and "Specifying the range
header for Blob service operations" in the Azure Storage REST reference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from local_workspace.services.blob.request import Request
from local_workspace.store.blobs.blob_errors import BlobError, not_implemented
from local_workspace.store.blobs.properties import BlobProperties
from local_workspace.store.blobs.tree import Check

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


@dataclass(frozen=True)
class Conditions:
    """The conditions of a request; empty or None where it has none."""

    if_match: str
    if_none_match: str
    if_modified_since: datetime | None
    if_unmodified_since: datetime | None

    @classmethod
    def of(cls, request: Request, prefix: str = "") -> Conditions:
        """Those of the blob itself, or with the prefix `x-ms-source-` those of a copy's source."""
        if request.header(f"{prefix or 'x-ms-'}if-tags"):
            raise not_implemented("conditions on blob tags")
        return cls(
            request.header(f"{prefix}if-match"),
            request.header(f"{prefix}if-none-match"),
            request.date_header(f"{prefix}if-modified-since"),
            request.date_header(f"{prefix}if-unmodified-since"),
        )

    def broken(self, present: BlobProperties | None) -> str:
        """The first condition that does not hold for the present blob; empty when all do."""
        if self.if_match and (present is None or not _matches(self.if_match, present)):
            return "If-Match"
        if present is None:
            return ""
        if self.if_none_match and _matches(self.if_none_match, present):
            return "If-None-Match"
        # HTTP dates have no fractions of a second.
        modified = present.modified.replace(microsecond=0)
        if self.if_modified_since and modified <= self.if_modified_since:
            return "If-Modified-Since"
        if self.if_unmodified_since and modified > self.if_unmodified_since:
            return "If-Unmodified-Since"
        return ""


def _matches(header: str, present: BlobProperties) -> bool:
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")]
    return "*" in tags or present.etag in tags


def check_read(request: Request, present: BlobProperties) -> None:
    """Raise BlobError unless the conditions allow to read the blob: 304 or 412."""
    broken = Conditions.of(request).broken(present)
    if broken in ("If-None-Match", "If-Modified-Since"):
        raise BlobError(
            "ConditionNotMet",
            status=304,
            headers=(("ETag", f'"{present.etag}"'),),
        )
    if broken:
        raise BlobError("ConditionNotMet", f"({broken})")


def check_source(request: Request, source: BlobProperties) -> None:
    """Raise BlobError unless the conditions on the source of a copy hold."""
    broken = Conditions.of(request, "x-ms-source-").broken(source)
    if broken:
        raise BlobError("SourceConditionNotMet", f"({broken})")


def write_check(request: Request) -> Check:
    """What to check right before a write: the conditions, and whether it may replace a blob."""
    conditions = Conditions.of(request)

    def check(present: BlobProperties | None) -> None:
        broken = conditions.broken(present)
        if broken == "If-None-Match" and conditions.if_none_match == "*":
            raise BlobError("BlobAlreadyExists")
        if broken:
            raise BlobError("ConditionNotMet", f"({broken})")
        if present and request.credential and not request.credential.may_overwrite:
            raise BlobError("UnauthorizedBlobOverwrite")

    return check


def change_check(request: Request) -> Check:
    """What to check right before a blob that exists is changed or deleted: the conditions."""
    conditions = Conditions.of(request)

    def check(present: BlobProperties | None) -> None:
        broken = conditions.broken(present)
        if broken:
            raise BlobError("ConditionNotMet", f"({broken})")

    return check


def parse_range(header: str, size: int) -> tuple[int, int] | None:
    """The first byte and the number of bytes that a range of a blob of `size` bytes asks for.

    None for no range, or one that HTTP lets a server ignore. Raises BlobError `InvalidRange` when
    it begins behind the end.
    """
    match = _RANGE.fullmatch(header.replace(" ", ""))
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if first:
        start = int(first)
        if last and int(last) < start:
            return None
        end = min(int(last), size - 1) if last else size - 1
    else:
        start, end = max(0, size - int(last)), size - 1
    if start >= size or start > end:
        raise BlobError("InvalidRange", headers=(("Content-Range", f"bytes */{size}"),))
    return start, end - start + 1
