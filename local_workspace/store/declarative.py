"""The declarative base that every table of the local workspace shares."""

from __future__ import annotations

from sqlalchemy.orm import declarative_base

Base = declarative_base()
