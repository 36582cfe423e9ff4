"""Datasets: saved definitions, and the names and versions under which they are registered."""

from local_workspace.services.dataset.parsing import Definition, definition_of
from local_workspace.services.dataset.records import (
    Registered,
    ensure_saved,
    find_dataset,
    get_dataset,
    get_registered,
    get_saved,
    list_datasets,
    list_versions,
    register_dataset,
    registration_of,
)

__all__ = [
    "Definition",
    "Registered",
    "definition_of",
    "ensure_saved",
    "find_dataset",
    "get_dataset",
    "get_registered",
    "get_saved",
    "list_datasets",
    "list_versions",
    "register_dataset",
    "registration_of",
]
