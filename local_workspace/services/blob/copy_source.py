"""The source of Copy Blob: another blob of the same workspace, named by its URL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

from local_workspace.services.blob.conditions import check_source
from local_workspace.services.blob.credentials import Credential
from local_workspace.services.blob.request import Request
from local_workspace.services.blob.sas import check_circumstances, verify_sas
from local_workspace.services.blob.signed_requests import authorize
from local_workspace.store.blobs.blob_errors import BlobError
from local_workspace.store.blobs.properties import BlobProperties
from local_workspace.store.blobs.store import BlobStore

_NOT_FOUND = ("BlobNotFound", "ContainerNotFound", "InvalidResourceName", "OutOfRangeInput")


@contextmanager
def open_source(store: BlobStore, request: Request) -> Iterator[tuple[int, BlobProperties, str]]:
    """The open data file of the source, its properties, and its URL without a signature.

    A source in the account whose key made the request needs nothing more; any other needs a SAS in
    its URL. Raises BlobError `CannotVerifyCopySource`.
    """
    try:
        url = urlsplit(request.header("x-ms-copy-source"))
        here = urlsplit(f"//{request.header('host')}")
        is_here = (url.hostname, url.port) == (here.hostname, here.port)
    except ValueError as error:  # no port, or no end of an IPv6 address
        raise BlobError("InvalidHeaderValue", f"(x-ms-copy-source: {error})") from error
    if not is_here:
        raise BlobError(
            "CannotVerifyCopySource",
            f"The local workspace copies from blobs at {here.netloc}, not from '{url.hostname}'.",
        )
    container, _, name = unquote(url.path).removeprefix("/").partition("/")
    account = _authorized_account(request, url.query, url.username, container, name)
    try:
        descriptor, properties = store.open_descriptor(account, container, name)
    except BlobError as error:
        if error.code in _NOT_FOUND:
            raise BlobError("CannotVerifyCopySource", error.message) from error
        raise
    try:
        check_source(request, properties)
        yield descriptor, properties, url._replace(query="").geturl()
    finally:
        os.close(descriptor)


def _authorized_account(
    request: Request, query: str, user: str | None, container: str, name: str
) -> str:
    assert request.credential is not None, "the request is authenticated first"
    parameters = {}
    for item in query.split("&"):
        key, _, value = item.partition("=")
        parameters[unquote(key)] = unquote(value)
    if "sig" in parameters:
        account, sas = verify_sas(parameters, request.accounts, container, name)
        check_circumstances(parameters, request.scheme, request.client)
        authorize(Credential(account, sas), "o", "r", "r")
        return account
    account = user.partition(".")[0] if user else request.account
    if request.credential.sas is not None or account != request.account:
        raise BlobError("CannotVerifyCopySource", "The URL of the source needs a SAS.", status=403)
    return account
