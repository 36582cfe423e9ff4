"""Pages of a sorted query that stay right while rows are added and removed."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_
from sqlalchemy.orm import Session
from sqlalchemy.sql import Select

from local_workspace.clock import iso, parse_iso
from local_workspace.errors import BadRequest
from local_workspace.fields import parse_json
from local_workspace.odata import parse_order

# As the SDK asks for; Azure's own limit for one answer.
DEFAULT_PAGE_SIZE = 500
MAX_PAGE_SIZE = 2000


@dataclass(frozen=True)
class Page:
    """Some rows, and where the next ones begin: None at the end."""

    rows: list[Any]
    continuation: str | None


def page_of(
    session: Session,
    query: Select,
    *,
    keys: Mapping[str, Any],
    unique: Any,
    order: str | list[str],
    top: int | None,
    continuation: str | None,
) -> Page:
    """The page of `query` (one mapped class) in `order` that begins behind `continuation`.

    `keys` are the expressions to sort by, never null, by lower-case name; `unique` decides between
    equals. The place in the order is what is remembered, not a number of rows: whatever is added
    meanwhile, no row comes twice and none is left out. Raises BadRequest.
    """
    sorting = []
    for name, descending in parse_order(order):
        if name.lower() not in keys:
            raise BadRequest(
                f"'{name}' cannot be ordered by. These can: {', '.join(sorted(keys))}."
            )
        sorting.append((keys[name.lower()], descending))
    sorting.append((unique, sorting[-1][1]))
    size = _size(top)
    if continuation:
        query = query.where(_behind(sorting, _read(continuation, len(sorting))))
    query = query.add_columns(*(key for key, _ in sorting))
    query = query.order_by(*(key.desc() if down else key.asc() for key, down in sorting))
    found = session.execute(query.limit(size + 1)).all()
    following = _write(found[size - 1][1:]) if len(found) > size else None
    return Page([row[0] for row in found[:size]], following)


def _size(top: int | None) -> int:
    if top is None:
        return DEFAULT_PAGE_SIZE
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise BadRequest(f"'top' must be a whole number of at least 1, not {top!r}.")
    return min(top, MAX_PAGE_SIZE)


def _behind(sorting: list[tuple[Any, bool]], values: list[Any]) -> Any:
    (key, descending), value = sorting[0], values[0]
    beyond = key < value if descending else key > value
    if len(sorting) == 1:
        return beyond
    return or_(beyond, and_(key == value, _behind(sorting[1:], values[1:])))


def _write(values: Any) -> str:
    parts = [{"time": iso(v)} if isinstance(v, datetime) else v for v in values]
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


def _read(continuation: str, length: int) -> list[Any]:
    try:
        parts = parse_json(base64.urlsafe_b64decode(continuation.encode()), "The token")
        values = [parse_iso(p["time"]) if isinstance(p, dict) else p for p in parts]
    except (BadRequest, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRequest("The continuation token is not one of this query.") from error
    if len(values) != length or any(isinstance(value, list) for value in values):
        raise BadRequest("The continuation token is not one of this query.")
    return values
