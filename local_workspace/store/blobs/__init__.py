"""Blobs as plain files: accounts, containers and blobs as folders and files below one root.

The blob service (`services/blob`) is what clients see of it.
"""

from local_workspace.store.blobs.blob_errors import BlobError
from local_workspace.store.blobs.listing import Listing
from local_workspace.store.blobs.properties import BlobProperties
from local_workspace.store.blobs.store import BlobStore

__all__ = ["BlobError", "BlobProperties", "BlobStore", "Listing"]
