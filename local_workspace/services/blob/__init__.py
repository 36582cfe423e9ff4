"""Azure Blob storage on the wire; the blobs themselves are in `store/blobs`."""

from local_workspace.services.blob.credentials import Sas
from local_workspace.services.blob.dispatcher import BlobService
from local_workspace.services.blob.sas import check_circumstances, sign_sas, verify_sas

__all__ = ["BlobService", "Sas", "check_circumstances", "sign_sas", "verify_sas"]
