"""Azure Blob storage on the wire; the blobs themselves are in `store/blobs`."""

from local_workspace.services.blob.sas import sign_sas
from local_workspace.services.blob.service import BlobService

__all__ = ["BlobService", "sign_sas"]
