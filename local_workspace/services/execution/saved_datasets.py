"""Which saved dataset an input of a run means."""

from __future__ import annotations

from sqlalchemy.orm import Session

from local_workspace.errors import BadRequest, ServiceError
from local_workspace.services import dataset
from local_workspace.services.execution.parsing import DatasetReference


def saved_dataset_id(session: Session, reference: DatasetReference) -> str:
    """The id of the saved dataset that an input names. Raises BadRequest when there is none."""
    try:
        if reference.saved_id:
            return dataset.get_saved(session, reference.saved_id).saved_id
        if reference.name:
            row = dataset.find_dataset(session, reference.name)
            return dataset.get_registered(session, row, reference.version).saved.saved_id
    except ServiceError as error:
        raise BadRequest(
            f"The input '{reference.input_name}' of the run is not a dataset of this workspace: "
            f"{error.message}",
            inner_code="DatasetNotFound",
        ) from error
    raise BadRequest(f"The input '{reference.input_name}' of the run names no dataset.")
