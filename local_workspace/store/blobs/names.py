"""Names of accounts, containers and blobs, and the file names that stand for them.

Every segment of a blob name is one file or folder of the same name. A few characters are escaped
as `%XX`, above all `%` itself, so that a `%` followed by anything else is free for our own marks:

    %file   ends the name of a file whose blob has the same name as a folder (`a` beside `a/b`)
    %empty  stands for an empty segment (`a//b`, `a/`)
    %.json  ends the name of a file of properties
"""

from __future__ import annotations

import re

from local_workspace.store.blobs.blob_errors import BlobError

FILE_MARK = "%file"
EMPTY_MARK = "%empty"
PROPERTIES_MARK = "%.json"

# 255 bytes is the limit of the usual file systems; our marks need a few of them.
MAX_SEGMENT_BYTES = 240
MAX_NAME_LENGTH = 1024
MAX_SEGMENTS = 254

_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_CONTAINER = re.compile(r"[a-z0-9](?:-?[a-z0-9])*")
_ESCAPED = re.compile(r"[%\\\x00-\x1f\x7f]")
_ESCAPE = re.compile(r"%([0-9A-F]{2})")


def check_account(account: str) -> None:
    """Raise BlobError unless `account` is 3 to 24 lower-case letters and digits."""
    if not _ACCOUNT.fullmatch(account):
        raise BlobError("InvalidResourceName", "An account is 3 to 24 lower-case letters, digits.")


def check_container(container: str) -> None:
    """Raise BlobError unless `container` follows Azure's rule for container names."""
    if not 3 <= len(container) <= 63:
        raise BlobError("OutOfRangeInput", "A container name has 3 to 63 characters.")
    if not _CONTAINER.fullmatch(container):
        raise BlobError(
            "InvalidResourceName",
            "A container name consists of lower-case letters, digits and single hyphens between "
            f"them ('{container}').",
        )


def check_blob(name: str) -> None:
    """Raise BlobError unless `name` can be a blob and stays inside its container."""
    if not name or len(name) > MAX_NAME_LENGTH:
        raise BlobError("OutOfRangeInput", "A blob name has 1 to 1,024 characters.")
    segments = name.split("/")
    if len(segments) > MAX_SEGMENTS:
        raise BlobError("OutOfRangeInput", f"A blob name has at most {MAX_SEGMENTS} segments.")
    for segment in segments:
        encode_segment(segment)


def encode_segment(segment: str) -> str:
    """The file name that stands for one segment of a blob name.

    Raises BlobError for `.` and `..`, NUL, what is not Unicode, and more than 240 bytes.
    """
    if segment == "":
        return EMPTY_MARK
    if segment in (".", ".."):
        raise BlobError("InvalidResourceName", "A segment of a blob name cannot be '.' or '..'.")
    if "\0" in segment:
        raise BlobError("InvalidResourceName", "A blob name cannot contain the character NUL.")
    encoded = _ESCAPED.sub(lambda match: f"%{ord(match[0]):02X}", segment)
    try:
        length = len(encoded.encode())
    except UnicodeEncodeError as error:
        raise BlobError("InvalidUri", "A blob name is Unicode text, in UTF-8 in a URL.") from error
    if length > MAX_SEGMENT_BYTES:
        raise BlobError(
            "InvalidResourceName",
            f"A part of a blob name between two '/' has at most {MAX_SEGMENT_BYTES} bytes in the "
            f"local workspace, because it becomes a file name; this one has {length}: "
            f"'{segment[:40]}...'.",
        )
    return encoded


def decode_segment(file_name: str) -> str | None:
    """The inverse of `encode_segment`; None for a file name that it never makes."""
    if file_name == EMPTY_MARK:
        return ""
    segment = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), file_name)
    try:
        return segment if encode_segment(segment) == file_name else None
    except BlobError:
        return None


def successor(prefix: str) -> str | None:
    """The smallest text that is greater than every text starting with `prefix`, if there is one."""
    while prefix:
        last = ord(prefix[-1])
        if last < 0x10FFFF:
            # U+D800 to U+DFFF are no characters.
            return prefix[:-1] + chr(0xE000 if last == 0xD7FF else last + 1)
        prefix = prefix[:-1]
    return None
