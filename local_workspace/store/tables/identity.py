"""Table of the sign-in of web pages."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String

from local_workspace.store.declarative import Base


class EndedSessionRow(Base):
    """A session that was ended by sign-out before its time."""

    __tablename__ = "ended_sessions"

    # SHA-256 of the cookie, in hexadecimal digits.
    digest = Column(String(64), primary_key=True)
    # The Unix second from which the cookie is refused anyway.
    expires = Column(Integer, nullable=False)
