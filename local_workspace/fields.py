"""Reading what clients send: JSON, and the fields of its objects, each refused by its name.

Whatever comes through `parse_json` can be kept by every database and sent to every client: no
integer is beyond 64 bits, no text has half a character or a NUL in it, and nothing is nested so
deeply that a later step could not follow.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from local_workspace.errors import BadRequest

# Deeper than the tree of any project folder; every step of Python's that recurses can follow.
MAX_DEPTH = 200
_SHOWN = 80
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_T = TypeVar("_T")

# How one comes from the whole to a part of it: a chain of keys, the last one first.
_Place = tuple[Any, Any] | None


def cut(text: str, length: int = _SHOWN) -> str:
    """`text`, or its beginning and an ellipsis when it is longer than `length` characters."""
    return text if len(text) <= length else f"{text[:length]}…"


def shown(value: Any) -> str:
    """`value` as Python writes it, cut to what fits into a message."""
    return cut(repr(value))


def parse_json(text: bytes | str, what: str = "The body of the request") -> Any:
    """The value that `text` is as JSON.

    Raises BadRequest, which names the field, for what is not JSON and for values that could not be
    kept: see the module's own description.
    """
    value = unchecked_json(text, what)
    check_value(value, what)
    return value


def unchecked_json(text: bytes | str, what: str = "The body of the request") -> Any:
    """The value that `text` is as JSON, for a reader that checks its parts with `check_value`.

    Raises BadRequest for what is not JSON.
    """
    try:
        if isinstance(text, bytes):
            # Strictly, unlike json.loads, which lets halves of characters through.
            text = text.decode(json.detect_encoding(text))
        return json.loads(text)
    except RecursionError as error:
        raise _too_deep(what) from error
    except ValueError as error:
        raise BadRequest(f"{what} is not JSON: {cut(str(error), 200)}.") from error


def check_value(
    value: Any, what: str = "The body of the request", *, large_numbers: bool = False
) -> None:
    """Raise BadRequest, naming the field, when a value of JSON could not be kept.

    With `large_numbers` integers may be of any size.
    """
    _check(value, None, 0, what, large_numbers)


def check_text(text: str, name: str) -> None:
    """Raise BadRequest, naming the field, when `text` has a NUL or half a character in it."""
    if "\0" in text:
        raise BadRequest(f"'{cut(name)}' contains the character NUL, which no text can have.")
    if not text.isascii() and _LONE_SURROGATE.search(text):
        raise BadRequest(f"'{cut(name)}' contains half of a character (a lone surrogate).")


def _too_deep(what: str) -> BadRequest:
    return BadRequest(f"{what} is nested more than {MAX_DEPTH} levels deep.")


def _check(value: Any, place: _Place, depth: int, what: str, large_numbers: bool) -> None:
    # A request may have a hundred thousand values: what is usual is passed over where it stands.
    if isinstance(value, (dict, list)):
        if depth == MAX_DEPTH:
            raise _too_deep(what)
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            kind = type(item)
            if kind is str:
                if "\0" in item or not item.isascii():
                    check_text(item, _name((place, key)))
            elif kind is not float and kind is not bool and item is not None:
                _check(item, (place, key), depth + 1, what, large_numbers)
            if type(key) is str and ("\0" in key or not key.isascii()):
                check_text(key, _name((place, key)))
    elif isinstance(value, str):
        check_text(value, _name(place))
    elif isinstance(value, int) and not (-(2**63) <= value < 2**63 or large_numbers):
        raise BadRequest(f"'{_name(place)}' is a whole number beyond 64 bits.")


def _name(place: _Place) -> str:
    """`tags.stage` or `metrics[3].value`."""
    parts: list[str] = []
    while place is not None:
        place, key = place
        parts.append(f"[{key}]" if isinstance(key, int) else f".{key}")
    name = "".join(reversed(parts)).lstrip(".") or "the body"
    return name.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


def json_object(value: Any, what: str = "The body") -> dict[str, Any]:
    """`value` if it is a JSON object. Raises BadRequest."""
    if not isinstance(value, dict):
        raise BadRequest(f"{what} must be a JSON object, not {shown(value)}.")
    return value


def text_of(document: Mapping[str, Any], name: str, *, longest: int | None = None) -> str | None:
    """The text in a field, None when it is missing or null. Raises BadRequest.

    `longest` is how many characters it may have.
    """
    text = _of_kind(document, name, str, "text")
    if text is not None and longest is not None and len(text) > longest:
        raise BadRequest(f"'{name}' has {len(text)} characters; it can have {longest} at most.")
    return text


def object_of(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The JSON object in a field, an empty one when it is missing or null. Raises BadRequest."""
    return _of_kind(document, name, dict, "a JSON object") or {}


def list_of(document: Mapping[str, Any], name: str) -> list[Any]:
    """The list in a field, an empty one when it is missing or null. Raises BadRequest."""
    return _of_kind(document, name, list, "a list") or []


def flag_of(document: Mapping[str, Any], name: str) -> bool | None:
    """The truth value in a field, None when it is missing or null. Raises BadRequest."""
    return _of_kind(document, name, bool, "true or false")


def number_of(document: Mapping[str, Any], name: str) -> int | None:
    """The whole number in a field, None when it is missing or null. Raises BadRequest."""
    if isinstance(document.get(name), bool):
        raise BadRequest(f"'{name}' must be a whole number, not {shown(document[name])}.")
    return _of_kind(document, name, int, "a whole number")


def _of_kind(document: Mapping[str, Any], name: str, kind: type[_T], described: str) -> _T | None:
    value = document.get(name)
    if value is not None and not isinstance(value, kind):
        raise BadRequest(f"'{name}' must be {described}, not {shown(value)}.")
    return value


def row_number(token: Any, name: str) -> int:
    """The number that a continuation token is. Raises BadRequest for one that we never gave."""
    text = str(token)
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise BadRequest(f"'{name}' is not a continuation token of this query: {shown(token)}.")
    return int(text)
