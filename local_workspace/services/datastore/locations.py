"""Where the data of a datastore lie, for what reads and writes them within the server."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from sqlalchemy.orm import Session

from local_workspace.errors import BadRequest, NotImplementedHere
from local_workspace.services.datastore.access import SAS, check_access
from local_workspace.services.datastore.parsing import AZURE_BLOB
from local_workspace.services.datastore.records import get_datastore
from local_workspace.workspace import LocalWorkspace


@dataclass(frozen=True)
class BlobLocation:
    """The container of a blob datastore, in a storage account of this workspace."""

    datastore: str
    account: str
    container: str


def blob_location(
    workspace: LocalWorkspace, session: Session, name: str, *, to_write: bool = False
) -> BlobLocation:
    """The container of the datastore `name`, checked to be within reach of its credential.

    Raises NotFound when there is none of that name, NotImplementedHere for a file share and for
    storage elsewhere, BadRequest when the credential does not reach the container or, `to_write`,
    only reads it.
    """
    row = get_datastore(session, name)
    if row.store_type != AZURE_BLOB:
        raise NotImplementedHere(
            f"The datastore '{row.name}' is a file share, and the local workspace serves none. Use "
            "a blob datastore, such as the default one (workspaceblobstore).",
            status=400,
        )
    if row.endpoint is not None:
        raise NotImplementedHere(
            f"The datastore '{row.name}' is storage at '{row.endpoint}', and the local workspace "
            "makes no connection to it. Use a datastore with storage of this workspace.",
            status=400,
        )
    check_access(workspace, row, create=False)
    if to_write and row.credential_type == SAS:
        permissions = dict(parse_qsl(row.credential.lstrip("?"))).get("sp", "")
        if "w" not in permissions:
            raise BadRequest(
                f"The SAS of the datastore '{row.name}' lacks the permission Write "
                f"(sp={permissions}). Register the datastore with one that has it, or with the "
                "account key."
            )
    return BlobLocation(row.name, row.account, row.container)
