"""Behaviour of datastores over the store."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from local_workspace.clock import utc_now
from local_workspace.errors import BadRequest, NotFound, NotImplementedHere
from local_workspace.services.datastore.access import ACCOUNT_KEY, check_access
from local_workspace.services.datastore.parsing import AZURE_BLOB, AZURE_FILE, NO_FILE_SHARES
from local_workspace.store.blobs import BlobError
from local_workspace.store.tables.datastore import DatastoreRow
from local_workspace.workspace import LocalWorkspace

DEFAULT_DATASTORE = "workspaceblobstore"
PAGE_SIZE = 30


def ensure_default_datastores(workspace: LocalWorkspace) -> None:
    """Make the datastores and containers that every workspace on Azure has; keep those present."""
    settings = workspace.settings
    blob_container = f"azureml-blobstore-{settings.workspace_id}"
    share = f"azureml-filestore-{settings.workspace_id}"
    for container in (blob_container, "azureml"):
        try:
            workspace.blobs.create_container(settings.storage_account, container)
        except BlobError as error:
            if error.code != "ContainerAlreadyExists":
                raise
    built_in = (
        (DEFAULT_DATASTORE, AZURE_BLOB, blob_container),
        ("workspaceartifactstore", AZURE_BLOB, "azureml"),
        ("workspacefilestore", AZURE_FILE, share),
        ("workspaceworkingdirectory", AZURE_FILE, f"code-{settings.workspace_id[:18]}"),
    )
    now = utc_now()
    with workspace.database.write() as session:
        for name, store_type, container in built_in:
            if session.get(DatastoreRow, name) is None:
                session.add(
                    DatastoreRow(
                        name=name,
                        store_type=store_type,
                        account=settings.storage_account,
                        container=container,
                        credential_type=ACCOUNT_KEY,
                        subscription_id=settings.subscription_id,
                        resource_group=settings.resource_group,
                        tags={},
                        built_in=True,
                        is_default=name == DEFAULT_DATASTORE,
                        created=now,
                        modified=now,
                    )
                )


def validate(
    workspace: LocalWorkspace, row: DatastoreRow, *, create_container: bool, skip: bool
) -> None:
    """Check that a datastore can be reached, and make its container when asked to.

    Raises BadRequest. With `skip` only what has to be made is checked, as on Azure.
    """
    if row.endpoint is not None:
        if not skip:
            raise BadRequest(
                f"The local workspace makes no connection to '{row.endpoint}'. Leave `endpoint` "
                "out to use storage of this workspace, or pass skip_validation=True to register "
                "storage elsewhere unchecked."
            )
        return
    if skip and not create_container:
        return
    check_access(workspace, row, create_container)


def check_name_is_free(session: Session, name: str) -> None:
    """Raise BadRequest when there is a datastore of this name."""
    if session.get(DatastoreRow, name) is not None:
        raise _name_is_taken(name)


def register_datastore(session: Session, row: DatastoreRow) -> DatastoreRow:
    """Add a datastore. Raises BadRequest when the name is taken."""
    check_name_is_free(session, row.name)
    session.add(row)
    try:
        session.flush()
    except IntegrityError as error:
        # Another client was quicker.
        raise _name_is_taken(row.name) from error
    return row


def update_datastore(session: Session, row: DatastoreRow) -> DatastoreRow:
    """Replace a datastore, or add it.

    Raises BadRequest for a built-in datastore that would lead elsewhere: runs and the workspace
    itself keep their files there.
    """
    present = session.get(DatastoreRow, row.name, with_for_update=True)
    if present is None:
        session.add(row)
        return row
    if present.built_in and (present.account, present.container) != (row.account, row.container):
        raise BadRequest(
            f"The datastore '{row.name}' belongs to the workspace, and its container cannot be "
            "changed. Register another datastore and make that the default one."
        )
    for field in (
        "store_type",
        "account",
        "container",
        "endpoint",
        "credential_type",
        "credential",
        "subscription_id",
        "resource_group",
        "blob_cache_timeout",
        "tags",
        "modified",
    ):
        setattr(present, field, getattr(row, field))
    return present


def get_datastore(session: Session, name: str) -> DatastoreRow:
    """A datastore by name, in any case. Raises NotFound."""
    row = session.get(DatastoreRow, name.lower())
    if row is None:
        raise NotFound(
            f"Could not find the datastore '{name}' in this workspace. `Workspace.datastores` "
            "lists those there are.",
            code="UserError",
            inner_code="DatastoreNotFound",
        )
    return row


def default_datastore(session: Session) -> DatastoreRow:
    """The default datastore of the workspace."""
    return session.execute(select(DatastoreRow).where(DatastoreRow.is_default)).scalar_one()


def set_default_datastore(session: Session, name: str) -> DatastoreRow:
    """Make a datastore the default. Raises NotFound, and BadRequest for a file share."""
    row = get_datastore(session, name)
    if row.store_type != AZURE_BLOB:
        raise NotImplementedHere(
            f"'{row.name}' cannot be the default datastore: it is a file share. {NO_FILE_SHARES}",
            status=400,
        )
    # One statement, so that two clients at once leave one default.
    session.execute(
        update(DatastoreRow)
        .values(is_default=DatastoreRow.name == row.name)
        .execution_options(synchronize_session=False)
    )
    session.refresh(row)
    return row


def restore_keys(session: Session) -> None:
    """Give the workspace's own datastores the key of its storage account again."""
    own = update(DatastoreRow).where(DatastoreRow.built_in)
    session.execute(
        own.values(credential_type=ACCOUNT_KEY, credential=None, modified=utc_now()),
        execution_options={"synchronize_session": "fetch"},
    )


def list_datastores(
    session: Session,
    after: str | None = None,
    limit: int = PAGE_SIZE,
    names: list[str] | None = None,
) -> list[DatastoreRow]:
    """Datastores by name; `after` is the last name of the page before."""
    query = select(DatastoreRow).order_by(DatastoreRow.name).limit(limit)
    if after:
        query = query.where(DatastoreRow.name > after)
    if names:
        query = query.where(DatastoreRow.name.in_([name.lower() for name in names]))
    return list(session.execute(query).scalars())


def delete_datastore(session: Session, name: str) -> bool:
    """Forget a datastore; its data stay. Returns whether there was one.

    Raises BadRequest for the default datastore and for those the workspace stands on.
    """
    row = session.get(DatastoreRow, name.lower())
    if row is None:
        return False
    if row.is_default:
        raise BadRequest(
            f"The default datastore '{row.name}' cannot be deleted. Make another one the default "
            "first (Datastore.set_as_default)."
        )
    if row.built_in:
        raise BadRequest(f"The datastore '{row.name}' belongs to the workspace: it stays.")
    session.delete(row)
    return True


def _name_is_taken(name: str) -> BadRequest:
    # The SDK looks for the first sentence to know that it may overwrite.
    return BadRequest(
        f"Another datastore with the same name already exists: '{name}'. Pass overwrite=True to "
        "replace it, or choose another name."
    )
