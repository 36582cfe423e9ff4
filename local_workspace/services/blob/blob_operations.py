"""The operations on single blobs."""

from __future__ import annotations

import dataclasses
import os
import uuid
from typing import Any

from local_workspace.clock import utc_now
from local_workspace.services.blob.conditions import (
    change_check,
    check_read,
    parse_range,
    write_check,
)
from local_workspace.services.blob.copy_source import open_source
from local_workspace.services.blob.request import FileSlice, Request, Response, http_date
from local_workspace.services.blob.upload import Upload
from local_workspace.services.blob.wire import (
    CONTENT_HEADERS,
    blob_headers,
    block_list_xml,
    metadata_headers,
    parse_block_list,
    version_headers,
)
from local_workspace.store.blobs.blob_errors import BlobError, BlobNotFound
from local_workspace.store.blobs.digests import md5_text
from local_workspace.store.blobs.on_disk import copy_range
from local_workspace.store.blobs.properties import (
    APPEND_BLOB,
    BLOCK_BLOB,
    BlobProperties,
    check_metadata,
    new_properties,
)
from local_workspace.store.blobs.store import BlobStore

_MAX_APPENDED_BLOCKS = 50_000
_MAX_HASHED_RANGE = 4 * 1024 * 1024  # bytes of a range whose MD5 may be asked for

# Query parameter of a SAS -> header of the response that it replaces
_OVERRIDES = {
    "rscc": "Cache-Control",
    "rscd": "Content-Disposition",
    "rsce": "Content-Encoding",
    "rscl": "Content-Language",
    "rsct": "Content-Type",
}


def _content(request: Request) -> dict[str, Any]:
    """The properties of content that the headers of a write set."""
    values: dict[str, Any] = {
        field: request.header(name)
        for name, field in CONTENT_HEADERS.items()
        if request.header(name)
    }
    return {**values, "metadata": request.metadata}


def _upload(request: Request) -> Upload:
    assert request.upload is not None, "the operation is declared with a body"
    request.upload.verify()
    return request.upload


def _written(properties: BlobProperties, **headers: str) -> dict[str, str]:
    headers = {name.replace("_", "-"): value for name, value in headers.items() if value}
    return {**version_headers(properties), "x-ms-request-server-encrypted": "false", **headers}


def put_blob(store: BlobStore, request: Request) -> Response:
    """A whole block blob, or an empty append blob."""
    kind = request.header("x-ms-blob-type")
    if not kind:
        raise BlobError("MissingRequiredHeader", "(x-ms-blob-type)")
    if kind not in (BLOCK_BLOB, APPEND_BLOB):
        raise BlobError("InvalidHeaderValue", f"(x-ms-blob-type: {kind})")
    upload = _upload(request)
    if kind == APPEND_BLOB and upload.file.size:
        raise BlobError("InvalidInput", "An append blob is created empty.")
    content = _content(request)
    if "content_type" not in content and request.header("content-type"):
        content["content_type"] = request.header("content-type")
    if kind == BLOCK_BLOB:
        content["content_md5"] = upload.md5
    properties = new_properties(request.blob, blob_type=kind, **content)
    made = store.commit(
        request.account, request.container, upload.file, properties, write_check(request)
    )
    return Response(201, _written(made, Content_MD5=upload.md5))


def put_block(store: BlobStore, request: Request) -> Response:
    """One block, kept until a block list names it."""
    if not request.query("blockid"):
        raise BlobError("MissingRequiredQueryParameter", "(blockid)")
    upload = _upload(request)
    store.stage_block(
        request.account, request.container, request.blob, request.query("blockid"), upload.file
    )
    headers = {"x-ms-request-server-encrypted": "false"}
    if upload.md5:
        headers["Content-MD5"] = upload.md5
    return Response(201, headers)


def put_block_list(store: BlobStore, request: Request) -> Response:
    """A blob made of blocks."""
    if request.header("content-md5") not in ("", md5_text(request.body)):
        raise BlobError("Md5Mismatch")
    properties = new_properties(request.blob, **_content(request))
    entries = parse_block_list(request.body)
    made = store.commit_blocks(
        request.account, request.container, entries, properties, write_check(request)
    )
    return Response(201, _written(made))


def get_block_list(store: BlobStore, request: Request) -> Response:
    """The committed and the waiting blocks of a blob."""
    wanted = request.query("blocklisttype") or "committed"
    if wanted not in ("committed", "uncommitted", "all"):
        raise BlobError("InvalidQueryParameterValue", f"(blocklisttype: {wanted})")
    properties, waiting = store.block_lists(request.account, request.container, request.blob)
    if properties and properties.blob_type != BLOCK_BLOB:
        raise BlobError("InvalidBlobType")
    headers = {"Content-Type": "application/xml", "x-ms-blob-content-length": "0"}
    if properties:
        headers |= version_headers(properties)
        headers["x-ms-blob-content-length"] = str(properties.size)
    body = block_list_xml(
        None if wanted == "uncommitted" else properties.blocks if properties else (),
        None if wanted == "committed" else waiting.items(),
    )
    return Response(200, headers, body)


def append_block(store: BlobStore, request: Request) -> Response:
    """One block at the end of an append blob."""
    upload = _upload(request)
    size = upload.file.size
    if size == 0:
        raise BlobError("InvalidHeaderValue", "(Content-Length: 0)")
    position = request.integer_header("x-ms-blob-condition-appendpos")
    max_size = request.integer_header("x-ms-blob-condition-maxsize")
    check_conditions = change_check(request)

    def check(present: BlobProperties | None) -> None:
        check_conditions(present)
        assert present is not None, "only an existing blob is appended to"
        if position is not None and position != present.size:
            raise BlobError("AppendPositionConditionNotMet")
        if max_size is not None and present.size + size > max_size:
            raise BlobError("MaxBlobSizeConditionNotMet")
        if present.block_count >= _MAX_APPENDED_BLOCKS:
            raise BlobError("BlockCountExceedsLimit", f"({_MAX_APPENDED_BLOCKS:,} blocks)")

    made = store.append_with(
        request.account,
        request.container,
        request.blob,
        size,
        lambda target: copy_range(upload.file.descriptor, target, 0, size),
        check,
    )
    headers = _written(made, Content_MD5=upload.md5)
    headers["x-ms-blob-append-offset"] = str(made.size - size)
    headers["x-ms-blob-committed-block-count"] = str(made.block_count)
    return Response(201, headers)


def get_blob(store: BlobStore, request: Request) -> Response:
    """The bytes of a blob, or a range of them."""
    descriptor, properties = store.open_descriptor(request.account, request.container, request.blob)
    try:
        check_read(request, properties)
        wanted = parse_range(
            request.header("x-ms-range") or request.header("range"), properties.size
        )
        offset, length = wanted or (0, properties.size)
        headers = blob_headers(properties) | _overrides(request)
        hashed = request.header("x-ms-range-get-content-md5").lower() == "true"
        if hashed and (wanted is None or length > _MAX_HASHED_RANGE):
            raise BlobError(
                "InvalidHeaderValue",
                "(x-ms-range-get-content-md5 goes with a range of at most 4 MiB)",
            )
        if wanted:
            headers["Content-Range"] = f"bytes {offset}-{offset + length - 1}/{properties.size}"
            if properties.content_md5:
                headers["x-ms-blob-content-md5"] = properties.content_md5
            if hashed:
                headers["Content-MD5"] = md5_text(os.pread(descriptor, length, offset))
        elif properties.content_md5:
            headers["Content-MD5"] = properties.content_md5
    except BaseException:
        os.close(descriptor)
        raise
    file = FileSlice(descriptor, offset, length)
    return Response(206 if wanted else 200, headers, file=file, content_length=length)


def get_blob_properties(store: BlobStore, request: Request) -> Response:
    """The properties and metadata of a blob."""
    properties = store.properties(request.account, request.container, request.blob)
    check_read(request, properties)
    headers = blob_headers(properties) | _overrides(request)
    if properties.content_md5:
        headers["Content-MD5"] = properties.content_md5
    if properties.blob_type == BLOCK_BLOB:
        headers |= {"x-ms-access-tier": "Hot", "x-ms-access-tier-inferred": "true"}
    return Response(200, headers, content_length=properties.size)


def _overrides(request: Request) -> dict[str, str]:
    """The headers that a SAS replaces, such as a file name for the browser."""
    found: dict[str, str] = {}
    sas = request.credential.sas if request.credential else None
    if sas is None or sas.kind == "account":
        return found  # an account SAS does not sign them, so that anybody could add them
    # Spelt as they are signed: `RSCT=` is another parameter, which is not.
    parameters = dict(request.parameters)
    for name, header in _OVERRIDES.items():
        if value := parameters.get(name):
            if not (value.isascii() and value.isprintable()):
                raise BlobError("InvalidQueryParameterValue", f"({name})")
            found[header] = value
    return found


def get_blob_metadata(store: BlobStore, request: Request) -> Response:
    """The metadata of a blob."""
    properties = store.properties(request.account, request.container, request.blob)
    check_read(request, properties)
    headers = {**version_headers(properties), **metadata_headers(properties.metadata)}
    return Response(200, headers)


def set_blob_metadata(store: BlobStore, request: Request) -> Response:
    """New metadata for a blob."""
    metadata = request.metadata
    check_metadata(metadata)
    changed = store.update(
        request.account,
        request.container,
        request.blob,
        lambda present: dataclasses.replace(present, metadata=metadata),
        change_check(request),
    )
    return Response(200, _written(changed))


def set_blob_properties(store: BlobStore, request: Request) -> Response:
    """New content headers for a blob; those that are not given are cleared, as on Azure."""
    content = new_properties(request.blob, **_content(request))
    fields = {field: getattr(content, field) for field in CONTENT_HEADERS.values()}
    changed = store.update(
        request.account,
        request.container,
        request.blob,
        lambda present: dataclasses.replace(present, **fields),
        change_check(request),
    )
    return Response(200, version_headers(changed))


def delete_blob(store: BlobStore, request: Request) -> Response:
    """A blob, gone."""
    if request.header("x-ms-delete-snapshots") == "only":
        raise BlobNotFound(f"{request.blob}, snapshots")
    store.delete(request.account, request.container, request.blob, change_check(request))
    return Response(202, {"x-ms-delete-type-permanent": "true"})


def copy_blob(store: BlobStore, request: Request) -> Response:
    """A copy of another blob of this workspace, complete when the answer comes."""
    with open_source(store, request) as (descriptor, source, source_url), store.new_file() as file:
        file.append_range(descriptor, 0, source.size)
        copied = {
            "id": str(uuid.uuid4()),
            "source": source_url,
            "progress": f"{source.size}/{source.size}",
            "completed": http_date(utc_now()),
        }
        check_metadata(request.metadata)
        properties = dataclasses.replace(
            source,
            name=request.blob,
            metadata=request.metadata or source.metadata,
            copy=copied,
        )
        made = store.commit(
            request.account, request.container, file, properties, write_check(request)
        )
    headers = version_headers(made)
    return Response(202, {**headers, "x-ms-copy-id": copied["id"], "x-ms-copy-status": "success"})


def abort_copy(store: BlobStore, request: Request) -> Response:
    """Nothing to abort: a copy is complete at once."""
    store.properties(request.account, request.container, request.blob)
    raise BlobError("NoPendingCopyOperation")
