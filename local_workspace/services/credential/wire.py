"""Shapes of the credential service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_workspace.clock import iso
from local_workspace.services.credential.records import Secret


def without_value(secret: Secret) -> dict[str, Any]:
    """What is told of a secret that was just set: its value need not travel back."""
    return {
        "name": secret.name,
        "value": None,
        "createdTime": iso(secret.created),
        "modifiedTime": iso(secret.modified),
        "contentType": secret.content_type,
    }


def with_value(secret: Secret, name: str) -> dict[str, Any]:
    """A secret as it was asked for: under `name`, in whatever case the client writes it."""
    return {**without_value(secret), "name": name, "value": secret.value}


def batch(found: Mapping[str, Secret | None]) -> dict[str, Any]:
    """Several secrets by the names under which they were asked for; None was not found."""
    return {
        "secrets": [with_value(secret, name) for name, secret in found.items() if secret],
        "notFoundSecrets": [name for name, secret in found.items() if secret is None],
    }
