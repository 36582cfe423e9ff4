"""What the blob service says of itself: it has no routes, its requests are told apart by more.

`operations.py` does that.
"""

from __future__ import annotations

from local_workspace.service import Service
from local_workspace.services.blob.dispatcher import BlobService

SERVICE = Service(
    name="blob",
    title="Blobs",
    # A container may have any name: every path that no other service owns.
    application=lambda workspace: BlobService(workspace.blobs, workspace.storage_accounts),
    works=(
        (
            "Create, delete, list and describe containers",
            "`PUT`, `DELETE`, `GET`, `HEAD` on an account",
        ),
        ("List blobs, with prefix, delimiter, marker and page size", "`comp=list`"),
        (
            "Block blobs: whole, or staged in blocks and committed",
            "`PUT`, `comp=block`, `blocklist`",
        ),
        ("Append blobs", "`comp=appendblock`"),
        (
            "Read whole or in part, with conditions",
            "`GET`, `HEAD`, `Range`, `If-Match` and the like",
        ),
        ("Metadata and properties", "`comp=metadata`, `comp=properties`"),
        ("Copy from another blob of this workspace", "`x-ms-copy-source`"),
        ("Shared Key, account SAS and service SAS, all verified", "`Authorization`, `sig`"),
    ),
)
