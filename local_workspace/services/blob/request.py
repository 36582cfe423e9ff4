"""A request to the blob service, taken apart, and a response, before it is put together."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any
from urllib.parse import quote, unquote, unquote_to_bytes

from local_workspace.dot_segments import without_dots
from local_workspace.services.blob.credentials import Credential
from local_workspace.services.blob.numbers import is_number
from local_workspace.services.blob.upload import Announced, Upload
from local_workspace.store.blobs.blob_errors import BlobError


@dataclass
class Request:
    """A request as the operations see it.

    `parameters` are the query's names and values in their order, decoded; header names are in lower
    case. `container` and `blob` are decoded and may be empty. `credential` says who asks,
    `accounts` are the names and keys of all storage accounts, `body` is a small body (a block
    list), `upload` the data of a blob or block.
    """

    method: str
    raw_path: str
    parameters: list[tuple[str, str]]
    headers: dict[str, str]
    scheme: str
    client: str
    container: str
    blob: str
    credential: Credential | None = None
    accounts: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = b""
    upload: Upload | None = None
    _query: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self._query = {name.lower(): value for name, value in self.parameters}

    @classmethod
    def from_scope(cls, scope: Mapping[str, Any]) -> Request:
        """The request of an ASGI scope.

        Raises BlobError `InvalidUri` for what is not UTF-8, and for a `..` that leads out of the
        container.
        """
        raw = scope.get("raw_path") or quote(scope["path"]).encode()
        raw_path = raw.decode("latin-1")
        try:
            path = unquote_to_bytes(raw_path).decode("utf-8")
            path = without_dots(path)
        except UnicodeDecodeError as error:
            raise BlobError("InvalidUri", "(the path is not UTF-8)") from error
        except ValueError as error:
            raise BlobError("InvalidUri", f"({error})") from error
        container, _, blob = path.removeprefix("/").partition("/")
        query = scope.get("query_string", b"").decode("latin-1")
        parameters = []
        for item in query.split("&"):
            # The first '=' only: a block id ends with '=' and not every client escapes that. And
            # no '+' for a space: it is a digit of base64.
            name, _, value = item.partition("=")
            if name:
                parameters.append((unquote(name), unquote(value)))
        headers: dict[str, str] = {}
        for raw_name, raw_value in scope["headers"]:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1").strip()
            headers[name] = f"{headers[name]},{value}" if name in headers else value
        client = scope.get("client") or ("", 0)
        return cls(
            method=scope["method"].upper(),
            raw_path=raw_path,
            parameters=parameters,
            headers=headers,
            scheme=scope.get("scheme", "http"),
            client=client[0],
            container=container,
            blob=blob,
        )

    def query(self, name: str) -> str:
        """The value of a query parameter; empty when it is missing."""
        return self._query.get(name, "")

    def header(self, name: str) -> str:
        """The value of a header; empty when it is missing."""
        return self.headers.get(name, "")

    def has_query(self, name: str) -> bool:
        """Whether the query has a parameter of this name."""
        return name in self._query

    @property
    def account(self) -> str:
        """The storage account that the credential belongs to."""
        assert self.credential is not None, "the request is authenticated first"
        return self.credential.account

    @property
    def metadata(self) -> dict[str, str]:
        """The metadata in the headers. HTTP does not keep the case of their names."""
        return {
            name[len("x-ms-meta-") :]: value
            for name, value in self.headers.items()
            if name.startswith("x-ms-meta-")
        }

    def integer_header(self, name: str) -> int | None:
        """The value of a header as a number, None when it is missing.

        Raises BlobError `InvalidHeaderValue` unless it consists of at most 18 digits.
        """
        value = self.header(name)
        if not value:
            return None
        if not is_number(value):
            raise BlobError("InvalidHeaderValue", f"({name}: {value[:40]})")
        return int(value)

    def digest_header(self, name: str, size: int) -> bytes:
        """The value of a header with a digest of `size` bytes in base64; empty when it is missing.

        Raises BlobError `InvalidMd5` or `InvalidHeaderValue` when it is none.
        """
        value = self.header(name)
        if not value:
            return b""
        try:
            digest = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            digest = b""
        if len(digest) != size:
            code = "InvalidMd5" if size == 16 else "InvalidHeaderValue"
            raise BlobError(code, f"({name}: {value})")
        return digest

    def announced(self, *, digest: bool) -> Announced:
        """What the headers say of the body; `digest`: it is a whole blob. Raises BlobError."""
        return Announced(
            content_md5=self.digest_header("content-md5", 16),
            blob_md5=self.digest_header("x-ms-blob-content-md5", 16) if digest else b"",
            content_crc64=self.digest_header("x-ms-content-crc64", 8),
            size=self.integer_header("content-length"),
        )

    def date_header(self, name: str) -> datetime | None:
        """The value of a header as a moment in UTC, None when it is missing.

        Raises BlobError `InvalidHeaderValue` unless it is a date of RFC 1123.
        """
        value = self.header(name)
        if not value:
            return None
        try:
            moment = parsedate_to_datetime(value)
        except (TypeError, ValueError, IndexError, OverflowError) as error:
            raise BlobError("InvalidHeaderValue", f"({name}: {value})") from error
        return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment


@dataclass(frozen=True)
class FileSlice:
    """A part of an open file that is sent as a body; whoever sends it closes the descriptor."""

    descriptor: int
    offset: int
    length: int


@dataclass
class Response:
    """A response; `content_length` is that of a body that HEAD leaves out."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    file: FileSlice | None = None
    content_length: int | None = None


def http_date(moment: datetime) -> str:
    """`moment` in the form of HTTP headers, to the second."""
    return format_datetime(moment.replace(microsecond=0), usegmt=True)
