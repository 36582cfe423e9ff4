"""What clients send about datastores, as rows."""

from __future__ import annotations

import re
from typing import Any

from local_workspace.clock import utc_now
from local_workspace.errors import BadRequest, NotImplementedHere
from local_workspace.fields import number_of, object_of, text_of
from local_workspace.services.datastore.access import ACCOUNT_KEY, SAS, check_container_name
from local_workspace.store.tables.datastore import DatastoreRow

AZURE_BLOB = "AzureBlob"
AZURE_FILE = "AzureFile"
NO_FILE_SHARES = (
    "The local workspace serves no Azure file shares. Use a blob datastore: "
    "Datastore.register_azure_blob_container, or the default one (workspaceblobstore)."
)

_NAME = re.compile(r"[a-z0-9_]{1,255}")
# The suffix under which the blobs of a local workspace are reached, as any version of it wrote
# them; the port is of any start.
_LOCAL_ENDPOINT = re.compile(r"((core\.)?x@)?(localhost|127\.0\.0\.1)(:\d+)?")


def datastore_of(body: Any, name: str | None = None) -> DatastoreRow:
    """The datastore that a request describes; `name` is that of the path, if it has one.

    Raises BadRequest for what cannot be, NotImplementedHere for kinds of storage that the local
    workspace does not have.
    """
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object: the description of a datastore.")
    name = _checked_name(name if name is not None else body.get("name"))
    store_type = body.get("dataStoreType")
    if store_type == AZURE_FILE:
        raise NotImplementedHere(NO_FILE_SHARES, status=400)
    if store_type != AZURE_BLOB:
        raise NotImplementedHere(
            f"The local workspace has no datastores of the type '{store_type}', only blob "
            "containers (Datastore.register_azure_blob_container).",
            status=400,
        )
    section = body.get("azureStorageSection")
    if not isinstance(section, dict):
        raise BadRequest("A datastore of the type AzureBlob needs an 'azureStorageSection'.")
    account, container = section.get("accountName"), section.get("containerName")
    if not isinstance(account, str) or not account:
        raise BadRequest("The name of the storage account (account_name) is missing.")
    if not isinstance(container, str) or not container:
        raise BadRequest("The name of the container (container_name) is missing.")
    check_container_name(container)
    endpoint = _foreign_endpoint(section.get("endpoint"))
    if str(section.get("protocol") or "https").lower() != "https":
        raise BadRequest(
            f"The local workspace speaks https only, not '{section['protocol']}': leave `protocol` "
            "out."
        )
    credential_type, credential = _credential(section)
    now = utc_now()
    return DatastoreRow(
        name=name,
        store_type=store_type,
        account=account,
        container=container,
        endpoint=endpoint,
        credential_type=credential_type,
        credential=credential,
        subscription_id=text_of(section, "subscriptionId"),
        resource_group=text_of(section, "resourceGroup"),
        blob_cache_timeout=number_of(section, "blobCacheTimeout"),
        tags=object_of(body, "tags"),
        built_in=False,
        is_default=False,
        created=now,
        modified=now,
    )


def _checked_name(name: Any) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name.lower()):
        raise BadRequest(
            f"The datastore name '{name}' is invalid. It can only contain letters, digits and "
            "underscores, and at most 255 of them.",
            code="UserError",
            inner_code="InvalidDatastoreName",
        )
    return name.lower()


def _foreign_endpoint(endpoint: Any) -> str | None:
    """The endpoint of storage elsewhere; None for this workspace's own, at whatever port."""
    if not endpoint or _LOCAL_ENDPOINT.fullmatch(str(endpoint)):
        return None
    return str(endpoint)


def _credential(section: dict[str, Any]) -> tuple[str, str]:
    # Requests name it `credential` with a type; answers, and clients that send one back, do not.
    credential = section.get("credential")
    kind = section.get("credentialType")
    if section.get("sasToken") or (credential and kind == SAS):
        return SAS, str(section.get("sasToken") or credential)
    if section.get("accountKey") or (credential and kind in (ACCOUNT_KEY, None)):
        return ACCOUNT_KEY, str(section.get("accountKey") or credential)
    raise BadRequest(
        "The local workspace needs a credential for a datastore: pass account_key (in "
        "AZURE_STORAGE_KEY) or sas_token. Access with the user's own identity is not available."
    )
