"""Table of the credential service."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, String, Text

from local_workspace.store.declarative import Base


class SecretRow(Base):
    """One secret of the workspace's key vault. All times are UTC."""

    __tablename__ = "secrets"

    # In lower case: names of secrets do not differ by case.
    name_key = Column(String(127), primary_key=True)
    # As it was first written.
    name = Column(String(127), nullable=False)
    # Encrypted with a key of the workspace, which is not in the database.
    encrypted_value = Column(Text, nullable=False)
    content_type = Column(String(255))
    created = Column(DateTime(timezone=True), nullable=False)
    modified = Column(DateTime(timezone=True), nullable=False)
