"""Which operation a request asks for, and what a signature must allow for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from local_workspace.services.blob import blob_operations as blob
from local_workspace.services.blob import container_operations as container
from local_workspace.services.blob.request import Request, Response
from local_workspace.store.blobs.blob_errors import BlobError, not_implemented
from local_workspace.store.blobs.store import BlobStore

NO_BODY, SMALL_BODY, DATA, HASHED_DATA = "none", "small", "data", "hashed data"

_MIB = 1024 * 1024
_BLOCK_LIST_BYTES = 16 * _MIB  # 50,000 entries are some 6 MiB


@dataclass(frozen=True)
class Operation:
    """One operation.

    `resource` is what a SAS must be for: "s" (account), "c" (container), "o" (blob), "" (anything).
    `permissions` are those of which an account SAS needs one, `service_permissions` those of which
    a container's, folder's or blob's SAS needs one; None where they are the same and "" where such
    a SAS never suffices. `max_bytes` is Azure's limit for the body.
    """

    run: Callable[[BlobStore, Request], Response]
    resource: str
    permissions: str
    service_permissions: str | None = None
    body: str = NO_BODY
    max_bytes: int = _BLOCK_LIST_BYTES

    @property
    def needed_of_service_sas(self) -> str:
        """The permissions of which a service SAS needs one."""
        if self.service_permissions is None:
            return self.permissions
        return self.service_permissions


_ACCOUNT_INFORMATION = Operation(container.account_information, "", "")
_GET_CONTAINER = Operation(container.get_container_properties, "c", "r", "")
_GET_METADATA = Operation(blob.get_blob_metadata, "o", "r")

# (level, method, restype, comp) -> operation; HEAD is looked up as GET where it is not listed
_OPERATIONS = {
    ("account", "GET", "", "list"): Operation(container.list_containers, "s", "l", ""),
    ("account", "GET", "service", "properties"): Operation(
        container.service_properties, "s", "r", ""
    ),
    ("account", "GET", "account", "properties"): _ACCOUNT_INFORMATION,
    ("container", "GET", "account", "properties"): _ACCOUNT_INFORMATION,
    ("blob", "GET", "account", "properties"): _ACCOUNT_INFORMATION,
    ("container", "PUT", "container", ""): Operation(container.create_container, "c", "cw", ""),
    ("container", "GET", "container", ""): _GET_CONTAINER,
    ("container", "GET", "container", "metadata"): _GET_CONTAINER,
    ("container", "PUT", "container", "metadata"): Operation(
        container.set_container_metadata, "c", "w", ""
    ),
    ("container", "DELETE", "container", ""): Operation(container.delete_container, "c", "d", ""),
    ("container", "GET", "container", "list"): Operation(container.list_blobs, "c", "l"),
    ("blob", "PUT", "", ""): Operation(
        blob.put_blob, "o", "cw", body=HASHED_DATA, max_bytes=5000 * _MIB
    ),
    ("blob", "PUT", "", "block"): Operation(
        blob.put_block, "o", "cw", body=DATA, max_bytes=4000 * _MIB
    ),
    ("blob", "PUT", "", "blocklist"): Operation(blob.put_block_list, "o", "cw", body=SMALL_BODY),
    ("blob", "GET", "", "blocklist"): Operation(blob.get_block_list, "o", "r"),
    ("blob", "PUT", "", "appendblock"): Operation(
        blob.append_block, "o", "aw", body=DATA, max_bytes=100 * _MIB
    ),
    ("blob", "GET", "", ""): Operation(blob.get_blob, "o", "r"),
    ("blob", "HEAD", "", ""): Operation(blob.get_blob_properties, "o", "r"),
    ("blob", "GET", "", "metadata"): _GET_METADATA,
    ("blob", "PUT", "", "metadata"): Operation(blob.set_blob_metadata, "o", "w"),
    ("blob", "PUT", "", "properties"): Operation(blob.set_blob_properties, "o", "w"),
    ("blob", "DELETE", "", ""): Operation(blob.delete_blob, "o", "d"),
    ("blob", "PUT", "", "copy"): Operation(blob.abort_copy, "o", "w"),
}
_COPY = Operation(blob.copy_blob, "o", "cw")

# What changes the meaning of an operation and does not exist here
_UNSUPPORTED_HEADERS = {
    "x-ms-encryption-key": "encryption with a key of the customer",
    "x-ms-encryption-scope": "encryption scopes",
    "x-ms-immutability-policy-until-date": "immutability policies",
    "x-ms-structured-body": "structured messages",
    "x-ms-tags": "blob tags",
    "x-ms-type": "Azure file shares; use a blob datastore",
}
_OF_PAGE_BLOBS = (
    "x-ms-blob-content-length",
    "x-ms-blob-sequence-number",
    "x-ms-if-sequence-number-eq",
    "x-ms-if-sequence-number-le",
    "x-ms-if-sequence-number-lt",
    "x-ms-page-write",
    "x-ms-sequence-number-action",
)


def find_operation(request: Request) -> Operation:
    """The operation of a request. Raises BlobError for those that do not exist here."""
    level = "blob" if request.blob else "container" if request.container else "account"
    restype, comp = request.query("restype").lower(), request.query("comp").lower()
    methods = ["HEAD", "GET"] if request.method == "HEAD" else [request.method]
    for method in methods:
        operation = _OPERATIONS.get((level, method, restype, comp))
        if operation is not None:
            break
    else:
        raise not_implemented(_describe(level, request.method, restype, comp))
    _refuse_unsupported(request)
    if operation.run is blob.put_blob and request.header("x-ms-copy-source"):
        if request.header("x-ms-blob-type"):
            raise not_implemented("Put Blob From URL")
        return _COPY
    if operation.body == DATA and request.header("x-ms-copy-source"):
        raise not_implemented(f"{comp} from a URL")
    return operation


def _describe(level: str, method: str, restype: str, comp: str) -> str:
    if restype in ("directory", "share"):
        return "Azure file shares; use a blob datastore"
    query = "&".join(f"{n}={v}" for n, v in (("restype", restype), ("comp", comp)) if v)
    return f"{method} of a{'n' if level == 'account' else ''} {level}" + (
        query and f" with {query}"
    )


def _refuse_unsupported(request: Request) -> None:
    for name in ("snapshot", "versionid"):
        if request.query(name):
            raise not_implemented(f"blob {name.removesuffix('id')}s")
    for name, what in _UNSUPPORTED_HEADERS.items():
        if request.header(name):
            raise not_implemented(what)
    if request.header("x-ms-blob-type") == "PageBlob":
        raise not_implemented("page blobs")
    for name in _OF_PAGE_BLOBS:
        if request.header(name):
            raise BlobError("InvalidBlobType", f"({name} is for page blobs, which are not here)")
    if request.header("x-ms-access-tier") not in ("", "Hot"):
        raise not_implemented("access tiers")
    if request.header("x-ms-legal-hold").lower() == "true":
        raise not_implemented("legal holds")
    if request.header("x-ms-lease-id"):
        level = "Blob" if request.blob else "Container"
        raise BlobError(f"LeaseNotPresentWith{level}Operation")
