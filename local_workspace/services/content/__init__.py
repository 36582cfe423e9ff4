"""Snapshots of project folders. The routes are in the module `routes`."""

from local_workspace.services.content.records import (
    create_snapshot,
    ensure_snapshot_store,
    files_of,
    get_snapshot,
    restore_snapshot,
    zip_address,
)

__all__ = [
    "create_snapshot",
    "ensure_snapshot_store",
    "files_of",
    "get_snapshot",
    "restore_snapshot",
    "zip_address",
]
