"""Shared access signatures: what is signed, how it is signed, what it allows.

Sources: "Create an account SAS" and "Create a service SAS" in the Azure Storage REST reference. The
text that is signed depends on the version `sv` in the signature.
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from urllib.parse import quote

from local_workspace.clock import utc_now
from local_workspace.services.blob.credentials import Sas
from local_workspace.services.blob.numbers import is_number
from local_workspace.store.blobs.blob_errors import BlobError

# What `sign_sas` writes; any version from 2020-12-06 on signs the same text.
SAS_VERSION = "2021-12-02"

_OLDEST_VERSION = "2015-04-05"
_WITH_RESOURCE = "2018-11-09"  # from here on the kind of resource and the snapshot are signed
_WITH_ENCRYPTION_SCOPE = "2020-12-06"
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2})(:\d{2})?(?:\.\d{1,7})?Z)?")

_HEADERS = ("rscc", "rscd", "rsce", "rscl", "rsct")
_SIGNED = ("sp", "st", "se", "si", "sip", "spr", "sv", "sr", "ss", "srt", "ses", *_HEADERS)


def signature(key: str, text: str) -> str:
    """HMAC-SHA256 of `text` in base64 under the base64 `key` of an account."""
    return base64.b64encode(
        hmac.new(base64.b64decode(key), text.encode("utf-8"), sha256).digest()
    ).decode()


def account_string_to_sign(account: str, parameters: Mapping[str, str]) -> str:
    """The text that an account SAS signs."""
    names = ["sp", "ss", "srt", "st", "se", "sip", "spr", "sv"]
    if parameters.get("sv", "") >= _WITH_ENCRYPTION_SCOPE:
        names.append("ses")
    return "".join(f"{value}\n" for value in [account, *(parameters.get(n, "") for n in names)])


def service_string_to_sign(
    account: str, resource: str, parameters: Mapping[str, str], snapshot: str = ""
) -> str:
    """The text that a service SAS signs; `resource` is `{container}` or `{container}/{blob}`."""
    version = parameters.get("sv", "")

    def values(*names: str) -> list[str]:
        return [parameters.get(name, "") for name in names]

    lines = [*values("sp", "st", "se"), f"/blob/{account}/{resource}"]
    lines += values("si", "sip", "spr", "sv")
    if version >= _WITH_RESOURCE:
        lines += [*values("sr"), snapshot]
    if version >= _WITH_ENCRYPTION_SCOPE:
        lines += values("ses")
    return "\n".join([*lines, *values(*_HEADERS)])


def sign_sas(
    account: str,
    key: str,
    container: str,
    blob: str | None = None,
    permissions: str = "r",
    expiry: datetime | timedelta = timedelta(hours=8),
    *,
    start: datetime | None = None,
    content_type: str = "",
    content_disposition: str = "",
) -> str:
    """A service SAS for a container, or for one blob in it, as a query without `?`.

    `key` is the account key in base64. `permissions` are letters in Azure's order: racwdl. `expiry`
    is a moment in UTC or how long the signature holds from now on.
    """
    if isinstance(expiry, timedelta):
        expiry = utc_now() + expiry
    parameters = {
        "sv": SAS_VERSION,
        "st": _time(start) if start else "",
        "se": _time(expiry),
        "sr": "c" if blob is None else "b",
        "sp": permissions,
        "rscd": content_disposition,
        "rsct": content_type,
    }
    resource = container if blob is None else f"{container}/{blob}"
    parameters["sig"] = signature(key, service_string_to_sign(account, resource, parameters))
    return "&".join(
        f"{name}={quote(value, safe='')}" for name, value in parameters.items() if value
    )


def _time(moment: datetime) -> str:
    if moment.tzinfo is not None:
        moment = moment.astimezone(timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime:
    """The moment of `st` or `se`: a date, or date and time to the minute or second, in UTC.

    Raises BlobError `AuthenticationFailed` for anything else.
    """
    match = _TIME.fullmatch(text)
    try:
        if match:
            date, minute, second = match.groups()
            return datetime.fromisoformat(f"{date}T{minute or '00:00'}{second or ':00'}+00:00")
    except ValueError:
        pass  # such as a thirteenth month
    raise BlobError("AuthenticationFailed", f"'{text}' in the SAS is no time in UTC.")


def verify_sas(
    parameters: Mapping[str, str],
    accounts: Mapping[str, str],
    container: str,
    blob: str,
    prefix: str = "",
) -> tuple[str, Sas]:
    """The account that signed and what it allows.

    `accounts` are names with keys. The URL does not name the account: it is the one whose key makes
    this signature. `prefix` is that of a listing, which may lie in the folder of a folder's SAS.
    Raises BlobError `AuthenticationFailed` when no key makes the signature or the form is wrong.
    """
    if any("\n" in parameters.get(name, "") for name in _SIGNED):
        # The text that is signed is lines: a value of two lines could pass for two other values.
        raise BlobError("AuthenticationFailed", "A value of the SAS contains a line break.")
    version = parameters.get("sv", "")
    if not _VERSION.fullmatch(version) or version < _OLDEST_VERSION:
        raise BlobError("AuthenticationFailed", f"The SAS version sv={version} is not supported.")
    if "skoid" in parameters:
        raise BlobError("AuthenticationFailed", "The local workspace has no user delegation keys.")
    if "ss" in parameters and "srt" in parameters:
        sas = Sas("account", parameters.get("sp", ""), parameters["ss"], parameters.get("srt", ""))
        texts = {account: account_string_to_sign(account, parameters) for account in accounts}
    else:
        kind = parameters.get("sr", "")
        resource = _resource(kind, parameters, container, blob, prefix)
        sas = Sas(kind, parameters.get("sp", ""))
        texts = {
            account: service_string_to_sign(account, resource, parameters) for account in accounts
        }
    given = parameters.get("sig", "").encode()
    for account, text in texts.items():
        if hmac.compare_digest(given, signature(accounts[account], text).encode()):
            return account, sas
    raise BlobError(
        "AuthenticationFailed",
        "The signature of the SAS is of none of the storage accounts of this workspace, or was "
        "made for another container or blob.",
    )


def _resource(
    kind: str, parameters: Mapping[str, str], container: str, blob: str, prefix: str
) -> str:
    if kind == "c":
        return container
    if kind == "b":
        return f"{container}/{blob}"
    if kind == "d":
        depth = parameters.get("sdd", "")
        # A listing must name a folder of that depth as a whole: `a` would also find `ab/c`.
        segments = blob.split("/") if blob else prefix.split("/")[:-1]
        if is_number(depth) and 0 < int(depth) <= len(segments):
            return "/".join([container, *segments[: int(depth)]])
        raise BlobError("AuthenticationFailed", "The SAS of a folder (sr=d) is for another folder.")
    raise BlobError(
        "AuthenticationFailed", f"The local workspace takes a SAS with sr=b, c or d, not '{kind}'."
    )


def check_circumstances(parameters: Mapping[str, str], scheme: str, client: str) -> None:
    """Raise BlobError unless a verified SAS holds now, over this protocol, from this address."""
    now = utc_now()
    if parameters.get("si"):
        raise BlobError(
            "AuthenticationFailed", "The local workspace has no stored access policies."
        )
    if not parameters.get("se"):
        raise BlobError("AuthenticationFailed", "The SAS has no time of expiry (se).")
    if parse_time(parameters["se"]) <= now:
        raise BlobError(
            "AuthenticationFailed",
            f"Signature not valid in the specified time frame: it expired at {parameters['se']}.",
        )
    if parameters.get("st") and parse_time(parameters["st"]) > now:
        raise BlobError(
            "AuthenticationFailed",
            "Signature not valid in the specified time frame: it starts at "
            f"{parameters['st']}, now it is {_time(now)}.",
        )
    if scheme not in parameters.get("spr", "https,http").split(","):
        raise BlobError("AuthorizationProtocolMismatch")
    if parameters.get("sip") and not _in_range(client, parameters["sip"]):
        raise BlobError("AuthorizationSourceIPMismatch")


def _in_range(client: str, allowed: str) -> bool:
    first, _, last = allowed.partition("-")
    try:
        address = ipaddress.IPv4Address(client)
        return ipaddress.IPv4Address(first) <= address <= ipaddress.IPv4Address(last or first)
    except ValueError:
        return False
