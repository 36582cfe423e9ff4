"""Secrets as clients send them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from local_workspace.errors import BadRequest

# The rules and limits of Azure Key Vault.
_NAME = re.compile(r"[0-9A-Za-z-]{1,127}")
MAX_VALUE_BYTES = 25 * 1024
_MAX_CONTENT_TYPE = 255
# Vaults have no limit; this keeps one request from holding up the others.
MAX_BATCH = 1000


@dataclass(frozen=True)
class NewSecret:
    """A secret that is to be kept."""

    name: str
    value: str = field(repr=False)
    content_type: str | None = None


def secret_of(body: Any) -> NewSecret:
    """The secret that a body describes. Raises BadRequest, which never tells the value."""
    if not isinstance(body, dict):
        raise BadRequest("A secret must be a JSON object with 'name' and 'value'.")
    name = checked_name(body.get("name"))
    value, content_type = body.get("value"), body.get("contentType")
    if not isinstance(value, str):
        raise BadRequest(f"The secret '{name}' must have a 'value' that is text.")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise BadRequest(
            f"The value of the secret '{name}' is no text: it has halves of characters."
        ) from None
    if size > MAX_VALUE_BYTES:
        raise BadRequest(
            f"The value of the secret '{name}' has {size} bytes; at most {MAX_VALUE_BYTES} are "
            "allowed.",
            inner_code="SecretTooLarge",
        )
    if content_type is not None and (
        not isinstance(content_type, str)
        or len(content_type) > _MAX_CONTENT_TYPE
        or not content_type.isprintable()
    ):
        raise BadRequest(
            f"The 'contentType' of the secret '{name}' must be text of at most "
            f"{_MAX_CONTENT_TYPE} printable characters."
        )
    return NewSecret(name, value, content_type)


def batch_of(body: Any) -> list[Any]:
    """The items of a request about several secrets. Raises BadRequest."""
    items = body.get("secrets") if isinstance(body, dict) else None
    if not isinstance(items, list):
        raise BadRequest("The body must be a JSON object with 'secrets', a list.")
    if len(items) > MAX_BATCH:
        raise BadRequest(
            f"The request is about {len(items)} secrets; at most {MAX_BATCH} are allowed at once."
        )
    return items


def names_of(body: Any) -> list[str]:
    """The names in a request about several secrets, each once. Raises BadRequest."""
    items = batch_of(body)
    if not all(isinstance(item, dict) for item in items):
        raise BadRequest("Each of 'secrets' must be a JSON object with 'name'.")
    return list(dict.fromkeys(checked_name(item.get("name")) for item in items))


def checked_name(name: Any) -> str:
    """`name` if a secret can be called that. Raises BadRequest."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadRequest(
            f"{name!r:.150} cannot be the name of a secret: use 1 to 127 letters (a to z), digits "
            "and '-'.",
            inner_code="InvalidSecretName",
        )
    return name
