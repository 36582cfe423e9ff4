"""Azure Blob storage on plain files: the service on the wire and the store behind it."""

from local_workspace.services.blob.errors import BlobError
from local_workspace.services.blob.properties import BlobProperties
from local_workspace.services.blob.sas import sign_sas
from local_workspace.services.blob.service import BlobService
from local_workspace.services.blob.store import BlobStore, Listing

__all__ = ["BlobError", "BlobProperties", "BlobService", "BlobStore", "Listing", "sign_sas"]
