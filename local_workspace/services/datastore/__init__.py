"""Datastores: named addresses of storage, with what is needed to reach it."""

from local_workspace.services.datastore.locations import BlobLocation, blob_location
from local_workspace.services.datastore.records import (
    default_datastore,
    ensure_default_datastores,
    get_datastore,
    list_datastores,
    restore_keys,
)

__all__ = [
    "BlobLocation",
    "blob_location",
    "default_datastore",
    "ensure_default_datastores",
    "get_datastore",
    "list_datastores",
    "restore_keys",
]
