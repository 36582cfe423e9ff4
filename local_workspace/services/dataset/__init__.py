"""Datasets: saved definitions, and the names and versions under which they are registered."""

from local_workspace.services.dataset.parsing import Definition, definition_of
from local_workspace.services.dataset.records import (
    ensure_saved,
    find_dataset,
    get_registered,
    get_saved,
    register_dataset,
    registration_of,
)

__all__ = [
    "Definition",
    "definition_of",
    "ensure_saved",
    "find_dataset",
    "get_registered",
    "get_saved",
    "register_dataset",
    "registration_of",
]
