"""What pages do not show: values whose names, or whose own words, say that they are secrets."""

from __future__ import annotations

import re
from typing import Any

NOT_SHOWN = "(not shown)"

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# Words of a name, after its humps were told apart; "monkey" and "max_tokens" are no secrets.
_SECRET_NAME = re.compile(
    r"(?<![a-z])(keys?|token|sig|sas|pwd)(?![a-z])"
    r"|(access|account|api|private|shared|storage)key|(access|auth|sas)token"
    r"|password|passwd|secret|credential|connection_?string"
)
# Within a value: signatures of SAS, and the parts of connection strings.
_SECRET_PART = re.compile(
    r"\b(sig|AccountKey|SharedAccessKey|SharedAccessSignature|Password|Pwd)=[^\s&;'\"]+",
    re.IGNORECASE,
)


def is_secret_name(name: object) -> bool:
    """Whether a name says that its value is a secret."""
    return _SECRET_NAME.search(_HUMP.sub("_", str(name)).lower()) is not None


def masked(name: object, value: Any) -> Any:
    """The value of a name as a page may show it."""
    if value not in (None, "") and not isinstance(value, (dict, list)) and is_secret_name(name):
        return NOT_SHOWN
    return without_secrets(value)


def without_secrets(value: Any) -> Any:
    """`value`, a JSON document, with what looks like a secret replaced."""
    if isinstance(value, dict):
        return {key: masked(key, item) for key, item in value.items()}
    if isinstance(value, list):
        if all(isinstance(item, str) for item in value):
            return _arguments(value)
        return [without_secrets(item) for item in value]
    if isinstance(value, str):
        # It may be a command line; the blanks between its words stay as they are.
        return "".join(_arguments(re.split(r"(\s+)", value)))
    return value


def _arguments(words: list[str]) -> list[str]:
    """Words of a command line: `--api-key x`, `--api-key=x` and `API_KEY=x` lose their x."""
    shown = []
    follows_secret = False
    for word in words:
        name, equals, given = word.partition("=")
        is_option = word.startswith("-")
        if follows_secret and word.strip() and not is_option:
            shown.append(NOT_SHOWN)
            follows_secret = False
        elif equals and given and re.fullmatch(r"[\w-]+", name) and is_secret_name(name):
            shown.append(f"{name}={NOT_SHOWN}")
            follows_secret = False
        else:
            shown.append(_SECRET_PART.sub(rf"\1={NOT_SHOWN}", word))
            if word.strip():
                follows_secret = is_option and not equals and is_secret_name(word)
    return shown
