"""Checks that a datastore can be reached with its credential before it is kept.

Azure does the same at registration. A wrong key would otherwise show itself only at the first
upload, as an authentication error that names neither the key nor the datastore.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from urllib.parse import parse_qsl

from local_workspace.errors import BadRequest
from local_workspace.services.blob import Sas, check_circumstances, verify_sas
from local_workspace.store.blobs import BlobError
from local_workspace.store.blobs.names import check_container
from local_workspace.store.tables.datastore import DatastoreRow
from local_workspace.workspace import LocalWorkspace

ACCOUNT_KEY = "AccountKey"
SAS = "Sas"

_WHERE_THE_KEY_IS = (
    "The account and key of this workspace are in AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY: "
    "`python -m local_workspace env` prints them."
)


def check_container_name(container: str) -> None:
    """Raise BadRequest unless `container` follows Azure's rule for container names."""
    try:
        check_container(container)
    except BlobError as error:
        raise BadRequest(
            f"The container name '{container}' is invalid: 3 to 63 characters; lower-case letters, "
            "digits and single hyphens between them.",
            code="InvalidContainerName",
        ) from error


def check_access(workspace: LocalWorkspace, row: DatastoreRow, create: bool) -> None:
    """Check account, credential and container of a datastore; with `create`, make the container.

    Raises BadRequest, which says what is wrong and what to do.
    """
    accounts = workspace.storage_accounts()
    if row.account not in accounts:
        raise _failure(
            row,
            f"there is no storage account '{row.account}' in this local workspace, which has "
            f"{', '.join(repr(name) for name in accounts)}. {_WHERE_THE_KEY_IS}",
        )
    sas = None
    if row.credential_type == SAS:
        sas = _check_sas(row, accounts)
    elif row.credential is not None:
        _check_key(row, accounts[row.account])
    if workspace.blobs.container_exists(row.account, row.container):
        return
    if not create:
        raise BadRequest(
            f"The container '{row.container}' does not exist in the storage account "
            f"'{row.account}'. Create it first, or pass create_if_not_exists=True.",
            code="ContainerNotFound",
        )
    if sas is not None and not (sas.kind == "account" and set("cw") & set(sas.permissions)):
        raise _failure(
            row,
            f"the container '{row.container}' does not exist and this SAS must not create "
            "containers. Create it first, or register with the account key.",
        )
    try:
        workspace.blobs.create_container(row.account, row.container)
    except BlobError as error:
        # Another client was quicker.
        if error.code != "ContainerAlreadyExists":
            raise


def _failure(row: DatastoreRow, reason: str) -> BadRequest:
    return BadRequest(
        f"Authentication failed when trying to connect to the datastore '{row.name}' (container "
        f"'{row.container}' of the storage account '{row.account}'): {reason}",
        code="UserError",
        inner_code="AuthenticationFailed",
    )


def _check_key(row: DatastoreRow, key: str) -> None:
    try:
        given = base64.b64decode(row.credential.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _failure(
            row,
            "the account key is not base64, so it is not complete or not a key at all. "
            + _WHERE_THE_KEY_IS,
        ) from error
    if not hmac.compare_digest(given, base64.b64decode(key)):
        raise _failure(row, f"the account key is not the key of this account. {_WHERE_THE_KEY_IS}")


def _check_sas(row: DatastoreRow, accounts: dict[str, str]) -> Sas:
    parameters = dict(parse_qsl(row.credential.lstrip("?"), keep_blank_values=True))
    if "sig" not in parameters:
        raise _failure(
            row, "the SAS has no signature (sig). Give the token only, not the whole URL."
        )
    try:
        account, sas = verify_sas(parameters, accounts, row.container, "")
        check_circumstances(parameters, "https", "127.0.0.1")
    except BlobError as error:
        # Every text of this kind begins with the same advice about HTTP headers.
        reason = error.message.rpartition("including the signature. ")[2]
        raise _failure(row, f"the SAS does not hold. {reason}") from error
    if account != row.account:
        raise _failure(row, f"the SAS belongs to the storage account '{account}'.")
    if sas.kind not in ("account", "c"):
        raise _failure(
            row, "the SAS is for one blob or folder. Make one for the whole container (sr=c)."
        )
    if sas.kind == "account" and not (
        "b" in sas.services and {"c", "o"} <= set(sas.resource_types)
    ):
        raise _failure(
            row,
            "the account SAS must be for the service blob (ss=b), containers and objects (srt=co).",
        )
    missing = [
        word for letter, word in (("r", "Read"), ("l", "List")) if letter not in sas.permissions
    ]
    if missing:
        raise _failure(
            row, f"the SAS lacks the permission {' and '.join(missing)} (sp={sas.permissions})."
        )
    return sas
