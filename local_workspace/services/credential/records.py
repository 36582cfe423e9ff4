"""Secrets over the store: their values are encrypted before they reach it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from local_workspace.clock import utc_now
from local_workspace.errors import NotFound
from local_workspace.services.credential.encryption import Cipher
from local_workspace.services.credential.parsing import NewSecret
from local_workspace.store.tables.credential import SecretRow

PAGE_SIZE = 500


@dataclass(frozen=True)
class Secret:
    """A secret with its value. The times are UTC."""

    name: str
    value: str = field(repr=False)
    content_type: str | None
    created: datetime
    modified: datetime


def set_secret(session: Session, cipher: Cipher, new: NewSecret) -> Secret:
    """Keep a secret; one of that name that is there gets the new value and content type."""
    now = utc_now()
    row = session.get(SecretRow, new.name.lower())
    if row is None:
        row = SecretRow(name_key=new.name.lower(), name=new.name, created=now)
        session.add(row)
    row.encrypted_value = cipher.encrypt(new.value)
    row.content_type = new.content_type
    row.modified = now
    session.flush()
    return _secret(row, cipher)


def get_secret(session: Session, cipher: Cipher, name: str) -> Secret:
    """The secret of that name. Raises NotFound, and Conflict when it cannot be decrypted."""
    return _secret(_row(session, name), cipher)


def find_secrets(session: Session, cipher: Cipher, names: list[str]) -> dict[str, Secret | None]:
    """The secrets of these names, None for those that are not there. Raises Conflict."""
    rows = ((name, session.get(SecretRow, name.lower())) for name in names)
    return {name: None if row is None else _secret(row, cipher) for name, row in rows}


def delete_secret(session: Session, name: str) -> None:
    """Forget a secret, value and all. Raises NotFound."""
    session.delete(_row(session, name))


def delete_secrets(session: Session, names: list[str]) -> None:
    """Forget the secrets of these names; those that are not there are no error."""
    for name in names:
        row = session.get(SecretRow, name.lower())
        if row is not None:
            session.delete(row)


def names_after(session: Session, last: str) -> list[str]:
    """A page of names, in the order of the alphabet, of those that follow `last`."""
    query = (
        select(SecretRow.name)
        .where(SecretRow.name_key > last.lower())
        .order_by(SecretRow.name_key)
        .limit(PAGE_SIZE)
    )
    return list(session.execute(query).scalars())


def _row(session: Session, name: str) -> SecretRow:
    row = session.get(SecretRow, name.lower())
    if row is None:
        raise NotFound(
            f"A secret with the name '{name}' was not found in the key vault of this workspace. "
            "Keyvault.list_secrets lists those that are there.",
            inner_code="SecretNotFound",
        )
    return row


def _secret(row: SecretRow, cipher: Cipher) -> Secret:
    return Secret(
        name=row.name,
        value=cipher.decrypt(row.encrypted_value, row.name),
        content_type=row.content_type,
        created=row.created,
        modified=row.modified,
    )
