"""Datastores: named addresses of storage, with what is needed to reach it."""

from local_workspace.services.datastore.records import (
    default_datastore,
    ensure_default_datastores,
    get_datastore,
    list_datastores,
    restore_keys,
)

__all__ = [
    "default_datastore",
    "ensure_default_datastores",
    "get_datastore",
    "list_datastores",
    "restore_keys",
]
