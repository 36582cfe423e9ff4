"""The operations on the account and on containers."""

from __future__ import annotations

from local_workspace.services.blob.numbers import is_number
from local_workspace.services.blob.request import Request, Response
from local_workspace.services.blob.wire import (
    blob_list_xml,
    container_headers,
    container_list_xml,
    decode_marker,
)
from local_workspace.store.blobs.blob_errors import BlobError, not_implemented
from local_workspace.store.blobs.store import BlobStore

_MAX_RESULTS = 5000
_XML_TYPE = {"Content-Type": "application/xml"}

# What a listing may include. Of most there is nothing here: no snapshots, versions, deleted blobs.
_INCLUDES = {
    "",
    "copy",
    "deleted",
    "deletedwithversions",
    "immutabilitypolicy",
    "legalhold",
    "metadata",
    "permissions",
    "snapshots",
    "system",
    "tags",
    "versions",
}

_SERVICE_PROPERTIES = (
    b'<?xml version="1.0" encoding="utf-8"?><StorageServiceProperties>'
    b"<Logging><Version>1.0</Version><Delete>false</Delete><Read>false</Read><Write>false</Write>"
    b"<RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></Logging>"
    b"<HourMetrics><Version>1.0</Version><Enabled>false</Enabled>"
    b"<RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></HourMetrics>"
    b"<MinuteMetrics><Version>1.0</Version><Enabled>false</Enabled>"
    b"<RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></MinuteMetrics>"
    b"<Cors/><DeleteRetentionPolicy><Enabled>false</Enabled></DeleteRetentionPolicy>"
    b"<StaticWebsite><Enabled>false</Enabled></StaticWebsite></StorageServiceProperties>"
)


def account_information(_store: BlobStore, _request: Request) -> Response:
    """The kind of the storage account."""
    headers = {
        "x-ms-sku-name": "Standard_LRS",
        "x-ms-account-kind": "StorageV2",
        "x-ms-is-hns-enabled": "false",
    }
    return Response(200, headers)


def service_properties(_store: BlobStore, _request: Request) -> Response:
    """The settings of the blob service: everything is off."""
    return Response(200, dict(_XML_TYPE), _SERVICE_PROPERTIES)


def list_containers(store: BlobStore, request: Request) -> Response:
    """The containers of an account, by prefix, in pages."""
    prefix, limit, start = _page(request)
    names = [n for n in store.container_names(request.account) if n.startswith(prefix)]
    names = [name for name in names if name >= start]
    found = [store.container_properties(request.account, name) for name in names[:limit]]
    body = container_list_xml(
        _endpoint(request),
        _request_values(request),
        found,
        names[limit] if len(names) > limit else None,
        _includes_metadata(request),
    )
    return Response(200, dict(_XML_TYPE), body)


def create_container(store: BlobStore, request: Request) -> Response:
    """A new container."""
    if request.header("x-ms-blob-public-access"):
        raise not_implemented("public access to a container")
    properties = store.create_container(request.account, request.container, request.metadata)
    return Response(201, _version(container_headers(properties)))


def get_container_properties(store: BlobStore, request: Request) -> Response:
    """The properties and metadata of a container."""
    properties = store.container_properties(request.account, request.container)
    return Response(200, container_headers(properties))


def set_container_metadata(store: BlobStore, request: Request) -> Response:
    """New metadata for a container."""
    properties = store.set_container_metadata(request.account, request.container, request.metadata)
    return Response(200, _version(container_headers(properties)))


def delete_container(store: BlobStore, request: Request) -> Response:
    """A container and all in it, gone."""
    store.delete_container(request.account, request.container)
    return Response(202)


def list_blobs(store: BlobStore, request: Request) -> Response:
    """The blobs of a container, by prefix and delimiter, in pages."""
    prefix, limit, start = _page(request)
    page = store.list(
        request.account,
        request.container,
        prefix,
        request.query("delimiter"),
        start=start,
        limit=limit,
    )
    body = blob_list_xml(
        _endpoint(request),
        request.container,
        _request_values(request),
        page,
        _includes_metadata(request),
    )
    return Response(200, dict(_XML_TYPE), body)


def _version(headers: dict[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in ("ETag", "Last-Modified")}


def _page(request: Request) -> tuple[str, int, str]:
    """Prefix, number of results and first name that a listing asks for."""
    limit = _MAX_RESULTS
    if text := request.query("maxresults"):
        if not is_number(text):
            raise BlobError("InvalidQueryParameterValue", f"(maxresults: {text[:40]})")
        if int(text) == 0:
            raise BlobError("OutOfRangeQueryParameterValue", "(maxresults: 0)")
        limit = min(int(text), _MAX_RESULTS)
    marker = request.query("marker")
    return request.query("prefix"), limit, decode_marker(marker) if marker else ""


def _request_values(request: Request) -> dict[str, str]:
    return {
        "Prefix": request.query("prefix"),
        "Marker": request.query("marker"),
        "MaxResults": request.query("maxresults"),
        "Delimiter": request.query("delimiter"),
    }


def _includes_metadata(request: Request) -> bool:
    wanted = set(request.query("include").lower().split(","))
    if unknown := sorted(wanted - _INCLUDES):
        raise not_implemented(f"include={unknown[0]}")
    return "metadata" in wanted


def _endpoint(request: Request) -> str:
    return f"{request.scheme}://{request.account}.blob.core.x@{request.header('host')}/"
