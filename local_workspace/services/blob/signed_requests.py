"""Who asks, and may they: account keys and shared access signatures.

Source: "Authorize with Shared Key" in the Azure Storage REST reference. The Host header names no
account here: it is in the Authorization header, or follows from the key that made the SAS.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import timedelta

from local_workspace.clock import utc_now
from local_workspace.services.blob.credentials import Credential
from local_workspace.services.blob.request import Request
from local_workspace.services.blob.sas import check_circumstances, signature, verify_sas
from local_workspace.store.blobs.blob_errors import BlobError

_CLOCK_SKEW = timedelta(minutes=15)

_SIGNED_HEADERS = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)


def authenticate(request: Request, accounts: Mapping[str, str]) -> Credential:
    """The credential of a request; `accounts` are the names and keys of the storage accounts.

    Raises BlobError: 401 without a credential, 403 with one that does not hold.
    """
    authorization = request.header("authorization")
    if authorization:
        return _shared_key(request, authorization, accounts)
    if request.has_query("sig"):
        parameters = dict(request.parameters)
        account, sas = verify_sas(
            parameters, accounts, request.container, request.blob, request.query("prefix")
        )
        check_circumstances(parameters, request.scheme, request.client)
        return Credential(account, sas)
    raise BlobError(
        "NoAuthenticationInformation",
        "The local workspace has no anonymous access: give the datastore an account key or a SAS.",
        headers=(("WWW-Authenticate", "SharedKey"),),
    )


def authorize(
    credential: Credential, resource: str, permissions: str, service_permissions: str
) -> None:
    """Raise BlobError (403) unless the credential's SAS, if it is one, allows an operation.

    `resource` is "s" (account), "c" (container), "o" (blob) or "" for what any SAS may do. One of
    `permissions` is needed of an account SAS, one of `service_permissions` of a service SAS.
    """
    sas = credential.sas
    if sas is None or not resource:
        return
    if sas.kind == "account":
        if "b" not in sas.services:
            raise BlobError("AuthorizationServiceMismatch")
        if resource not in sas.resource_types:
            raise BlobError("AuthorizationResourceTypeMismatch")
        needed = permissions
    else:
        needed = service_permissions
        if not needed:
            raise BlobError("AuthorizationResourceTypeMismatch", "It needs an account SAS or key.")
    if not any(permission in sas.permissions for permission in needed):
        raise BlobError("AuthorizationPermissionMismatch", f"(one of '{needed}' is needed)")


def _shared_key(request: Request, authorization: str, accounts: Mapping[str, str]) -> Credential:
    scheme, _, rest = authorization.partition(" ")
    account, colon, given = rest.strip().partition(":")
    if scheme != "SharedKey" or not colon:
        raise BlobError(
            "InvalidAuthenticationInfo",
            "The local workspace takes `SharedKey account:signature` or a SAS for blobs.",
            headers=(("WWW-Authenticate", "SharedKey"),),
        )
    key = accounts.get(account)
    if key is None:
        raise BlobError("AuthenticationFailed", f"There is no storage account '{account}'.")
    name = "x-ms-date" if request.header("x-ms-date") else "date"
    date = request.date_header(name)
    if date is None:
        raise BlobError("AuthenticationFailed", "The request has no date (x-ms-date).")
    if abs(utc_now() - date) > _CLOCK_SKEW:
        raise BlobError(
            "AuthenticationFailed", f"Request date header too old: '{request.header(name)}'."
        )
    texts = {string_to_sign(request, account, plain_order=order) for order in (True, False)}
    for text in texts:
        if hmac.compare_digest(given.encode(), signature(key, text).encode()):
            return Credential(account)
    raise BlobError("AuthenticationFailed", f"The signature is not of the key of '{account}'.")


def string_to_sign(request: Request, account: str, *, plain_order: bool = True) -> str:
    """The text that an account key signs for a request.

    Clients disagree about the order of the x-ms- headers: the reference says lexicographical, the
    service compares words (hyphens last), and newer clients follow it (`plain_order=False`).
    """
    headers = {name: request.header(name) for name in _SIGNED_HEADERS}
    if headers["content-length"] == "0":
        headers["content-length"] = ""
    if request.header("x-ms-date"):
        headers["date"] = ""
    names = [name for name in request.headers if name.startswith("x-ms-")]
    names.sort(key=None if plain_order else _word_order)
    lines = [request.method, *headers.values()]
    lines += [f"{name}:{request.header(name)}" for name in names]
    lines.append(f"/{account}{request.raw_path}")
    values: dict[str, list[str]] = {}
    for name, value in request.parameters:
        values.setdefault(name.lower(), []).append(value)
    lines += [f"{name}:{','.join(sorted(values[name]))}" for name in sorted(values)]
    return "\n".join(lines)


def _word_order(name: str) -> tuple[list[tuple[int, str]], list[int]]:
    """The sort key of Windows' word sort: hyphens count only between otherwise equal names.

    Other signs come before digits, digits before letters; of two names that differ in hyphens
    only, the one whose hyphen comes later is first.
    """
    ranks = [
        (2 if character.isalpha() else 1 if character.isdigit() else 0, character)
        for character in name
        if character != "-"
    ]
    hyphens = [-position for position, character in enumerate(name) if character == "-"]
    return ranks, [*hyphens, -len(name)]
