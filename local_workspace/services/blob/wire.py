"""Shapes on the wire: headers of properties, XML of lists and errors."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from local_workspace.clock import iso, utc_now
from local_workspace.errors import ServiceError
from local_workspace.services.blob.request import http_date
from local_workspace.store.blobs.blob_errors import BlobError
from local_workspace.store.blobs.containers import ContainerProperties
from local_workspace.store.blobs.listing import Listing
from local_workspace.store.blobs.properties import APPEND_BLOB, BLOCK_BLOB, BlobProperties

_XML = '<?xml version="1.0" encoding="utf-8"?>'
# XML 1.0 has no way to write these, not even escaped.
_NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_ENCODING = re.compile(rb"(?:\xef\xbb\xbf)?<\?xml[^>]*?\sencoding\s*=\s*[\"']([^\"'>]*)")
_BLOCK_KINDS = ("Committed", "Uncommitted", "Latest")

# Header of Put Blob, Put Block List, Set Blob Properties -> field of BlobProperties
CONTENT_HEADERS = {
    "x-ms-blob-content-type": "content_type",
    "x-ms-blob-content-encoding": "content_encoding",
    "x-ms-blob-content-language": "content_language",
    "x-ms-blob-content-disposition": "content_disposition",
    "x-ms-blob-cache-control": "cache_control",
    "x-ms-blob-content-md5": "content_md5",
}


def version_headers(properties: BlobProperties) -> dict[str, str]:
    """The headers that tell the version of a blob."""
    return {
        "ETag": f'"{properties.etag}"',
        "Last-Modified": http_date(properties.modified),
    }


def blob_headers(properties: BlobProperties) -> dict[str, str]:
    """The headers of Get Blob and Get Blob Properties, without length and MD5."""
    headers = {
        **version_headers(properties),
        "Content-Type": properties.content_type,
        "Content-Encoding": properties.content_encoding,
        "Content-Language": properties.content_language,
        "Content-Disposition": properties.content_disposition,
        "Cache-Control": properties.cache_control,
        "Accept-Ranges": "bytes",
        "x-ms-creation-time": http_date(properties.created),
        "x-ms-blob-type": properties.blob_type,
        "x-ms-lease-status": "unlocked",
        "x-ms-lease-state": "available",
        "x-ms-server-encrypted": "false",
    }
    if properties.blob_type == APPEND_BLOB:
        headers["x-ms-blob-committed-block-count"] = str(properties.block_count)
    if properties.copy:
        headers["x-ms-copy-id"] = properties.copy["id"]
        headers["x-ms-copy-source"] = properties.copy["source"]
        headers["x-ms-copy-status"] = "success"
        headers["x-ms-copy-progress"] = properties.copy["progress"]
        headers["x-ms-copy-completion-time"] = properties.copy["completed"]
    headers |= metadata_headers(properties.metadata)
    return {name: value for name, value in headers.items() if value}


def metadata_headers(metadata: Mapping[str, str]) -> dict[str, str]:
    """The headers of metadata."""
    return {f"x-ms-meta-{name}": value for name, value in metadata.items()}


def container_headers(properties: ContainerProperties) -> dict[str, str]:
    """The headers of Get Container Properties."""
    return {
        "ETag": f'"{properties.etag}"',
        "Last-Modified": http_date(properties.modified),
        "x-ms-lease-status": "unlocked",
        "x-ms-lease-state": "available",
        "x-ms-has-immutability-policy": "false",
        "x-ms-has-legal-hold": "false",
        **metadata_headers(properties.metadata),
    }


def blob_list_xml(
    endpoint: str, container: str, request_values: Mapping[str, str], page: Listing, metadata: bool
) -> bytes:
    """The body of List Blobs; `request_values` are Prefix, Marker and so on as they were sent."""
    items = []
    for entry in page.entries:
        if isinstance(entry, str):
            items.append(f"<BlobPrefix>{_named('Name', entry)}</BlobPrefix>")
        else:
            items.append(_blob_xml(entry, metadata))
    return _list_xml(
        f"ServiceEndpoint={quoteattr(endpoint)} ContainerName={quoteattr(container)}",
        request_values,
        f"<Blobs>{''.join(items)}</Blobs>",
        page.next_start,
    )


def container_list_xml(
    endpoint: str,
    request_values: Mapping[str, str],
    containers: Iterable[ContainerProperties],
    next_start: str | None,
    metadata: bool,
) -> bytes:
    """The body of List Containers."""
    items = []
    for properties in containers:
        values = {
            "Last-Modified": http_date(properties.modified),
            "Etag": f'"{properties.etag}"',
            "LeaseStatus": "unlocked",
            "LeaseState": "available",
            "HasImmutabilityPolicy": "false",
            "HasLegalHold": "false",
        }
        items.append(
            f"<Container><Name>{properties.name}</Name><Properties>{_elements(values)}</Properties>"
            f"{_metadata_xml(properties.metadata) if metadata else ''}</Container>"
        )
    return _list_xml(
        f"ServiceEndpoint={quoteattr(endpoint)}",
        request_values,
        f"<Containers>{''.join(items)}</Containers>",
        next_start,
    )


def _list_xml(
    attributes: str, request_values: Mapping[str, str], items: str, next_start: str | None
) -> bytes:
    marker = "" if next_start is None else encode_marker(next_start)
    asked = "".join(_named(tag, value) for tag, value in request_values.items() if value)
    return (
        f"{_XML}<EnumerationResults {attributes}>{asked}{items}"
        f"<NextMarker>{marker}</NextMarker></EnumerationResults>"
    ).encode()


def _blob_xml(properties: BlobProperties, metadata: bool) -> str:
    values = {
        "Creation-Time": http_date(properties.created),
        "Last-Modified": http_date(properties.modified),
        "Etag": properties.etag,
        "Content-Length": str(properties.size),
        "Content-Type": properties.content_type,
        "Content-Encoding": properties.content_encoding,
        "Content-Language": properties.content_language,
        "Content-MD5": properties.content_md5,
        "Content-Disposition": properties.content_disposition,
        "Cache-Control": properties.cache_control,
        "BlobType": properties.blob_type,
    }
    if properties.blob_type == BLOCK_BLOB:
        values |= {"AccessTier": "Hot", "AccessTierInferred": "true"}
    values |= {"LeaseStatus": "unlocked", "LeaseState": "available", "ServerEncrypted": "false"}
    return (
        f"<Blob>{_named('Name', properties.name)}<Properties>{_elements(values)}</Properties>"
        f"{_metadata_xml(properties.metadata) if metadata else ''}</Blob>"
    )


def error_xml(error: ServiceError, request_id: str) -> bytes:
    """The body of an error response, as Azure Storage writes it."""
    text = _NOT_XML.sub("\ufffd", error.message)
    message = f"{text}\nRequestId:{request_id}\nTime:{iso(utc_now())}"
    return (
        f"{_XML}<Error><Code>{error.code}</Code><Message>{escape(message)}</Message></Error>"
    ).encode()


def _named(tag: str, name: str) -> str:
    """The element `tag` with the name of a blob, or a part of one, in it."""
    if _NOT_XML.search(name):
        return f'<{tag} Encoded="true">{quote(name)}</{tag}>'
    return f"<{tag}>{_text(name)}</{tag}>"


def _text(value: str) -> str:
    # A parser would turn a bare carriage return into a line feed.
    return escape(value, {"\r": "&#13;"})


def _elements(values: Mapping[str, str]) -> str:
    return "".join(f"<{name}>{_text(value)}</{name}>" for name, value in values.items() if value)


def _metadata_xml(metadata: Mapping[str, str]) -> str:
    return f"<Metadata>{_elements(metadata)}</Metadata>"


def encode_marker(name: str) -> str:
    """The marker of the page that starts with `name`; clients take it as it is."""
    return base64.urlsafe_b64encode(name.encode()).decode()


def decode_marker(marker: str) -> str:
    """The name that a page starts with. Raises BlobError for a marker that we never gave."""
    try:
        return base64.b64decode(marker.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise BlobError("InvalidQueryParameterValue", f"(marker: {marker})") from error


def parse_block_list(body: bytes) -> list[tuple[str, str]]:
    """The entries of a Put Block List as (kind, id). Raises BlobError for a wrong document."""
    declared = _ENCODING.match(body)
    if declared and declared[1].lower() not in (b"utf-8", b"utf8", b"us-ascii"):
        raise BlobError("InvalidXmlDocument", "A block list is written in UTF-8.")
    try:
        text = body.decode("utf-8-sig")
        if "<!DOCTYPE" in text:
            raise BlobError("InvalidXmlDocument", "A block list has no document type.")
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, UnicodeDecodeError) as error:
        raise BlobError("InvalidXmlDocument", f"({error})") from error
    if root.tag != "BlockList" or any(child.tag not in _BLOCK_KINDS for child in root):
        raise BlobError(
            "InvalidXmlDocument", "A BlockList contains Committed, Uncommitted and Latest."
        )
    return [(child.tag, (child.text or "").strip()) for child in root]


def block_list_xml(
    committed: Iterable[tuple[str, int]] | None, uncommitted: Iterable[tuple[str, int]] | None
) -> bytes:
    """The body of Get Block List; None leaves a list out."""

    def blocks(tag: str, items: Iterable[tuple[str, int]] | None) -> str:
        if items is None:
            return ""
        inner = "".join(
            f"<Block><Name>{block_id}</Name><Size>{size}</Size></Block>" for block_id, size in items
        )
        return f"<{tag}>{inner}</{tag}>"

    return (
        f"{_XML}<BlockList>{blocks('CommittedBlocks', committed)}"
        f"{blocks('UncommittedBlocks', uncommitted)}</BlockList>"
    ).encode()
