"""Filters and orders in the words of OData, as the SDK writes them.

The SDK puts a filter together from parts such as `(Status eq Completed)`,
`(Tags/stage eq "it's "new"")`, `(CreatedUtc ge 2026-01-31 10:00:00+00:00)` or
`(Properties/source ne null or Properties/source eq null)`: values mostly without quotes, and double
quotes that escape nothing. This grammar takes those and the standard's `'it''s'` alike:

    or         = and ("or" and)*
    and        = not ("and" not)*
    not        = "not" not | "(" or ")" | comparison
    comparison = field ["/" key] ("eq" | "ne" | "gt" | "ge" | "lt" | "le") value
    value      = "null" | 'text' | "text" | anything up to ")", " and ", " or " or the end

Every comparison is true or false, never unknown: a field that is empty equals null and nothing
else; a key that a dictionary does not have makes both `eq` and `ne` false, which is how
`key ne null or key eq null` asks whether there is such a key.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from local_workspace.errors import BadRequest

_MAX_DEPTH = 60

_SPACE = re.compile(r"\s*")
_WORD = re.compile(r"(and|or|not)(?=[\s(]|\Z)")
_FIELD = re.compile(r"([A-Za-z_]\w*)(?:/(.+?))?\s+(eq|ne|gt|ge|lt|le)(?=\s)", re.DOTALL)
_SINGLE_QUOTED = re.compile(r"'((?:[^']|'')*)'")
_BARE = re.compile(r"(.+?)(?=\s*\)|\s+(?:and|or)(?:[\s(]|\Z)|\s*\Z)", re.DOTALL)
# The SDK does not escape a quote in a text: the closing one is the first behind which the filter
# ends or goes on with another comparison.
_DOUBLE_QUOTED = re.compile(
    r'"(.*?)"(?=[\s)]*\Z|[\s)]+(?:and|or)[\s(]+(?:not[\s(]+)*'
    r"[A-Za-z_]\w*(?:/[^\"]*?)?\s+(?:eq|ne|gt|ge|lt|le)\s)",
    re.DOTALL,
)
_ORDER = re.compile(r"\s*([A-Za-z_][\w/]*)(?:\s+(asc|desc))?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Comparison:
    """`field/key operator value`; `value` None is null."""

    field: str
    key: str | None
    operator: str
    value: str | None


@dataclass(frozen=True)
class Not:
    """The opposite of `operand`."""

    operand: Expression


@dataclass(frozen=True)
class And:
    """All of `operands`."""

    operands: tuple[Expression, ...]


@dataclass(frozen=True)
class Or:
    """Any of `operands`."""

    operands: tuple[Expression, ...]


Expression: TypeAlias = Comparison | Not | And | Or


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.depth = 0

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self.text, self.position)
        if match is not None:
            self.position = _SPACE.match(self.text, match.end()).end()  # type: ignore[union-attr]
        return match

    def _take_word(self, word: str) -> bool:
        match = _WORD.match(self.text, self.position)
        return bool(match and match[1] == word and self._take(_WORD))

    def fail(self, expected: str) -> BadRequest:
        found = self.text[self.position : self.position + 30]
        return BadRequest(
            f"The filter is not understood at position {self.position}: expected {expected}, "
            f"found {found!r}. A filter looks like: Status eq 'Completed' and Tags/stage eq 'new'."
        )

    def whole(self) -> Expression:
        self._take(_SPACE)
        expression = self.either()
        if self.position < len(self.text):
            raise self.fail("'and', 'or' or the end")
        return expression

    def either(self) -> Expression:
        operands = [self.every()]
        while self._take_word("or"):
            operands.append(self.every())
        return operands[0] if len(operands) == 1 else Or(tuple(operands))

    def every(self) -> Expression:
        operands = [self.negation()]
        while self._take_word("and"):
            operands.append(self.negation())
        return operands[0] if len(operands) == 1 else And(tuple(operands))

    def negation(self) -> Expression:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise BadRequest(f"The filter is nested more than {_MAX_DEPTH} levels deep.")
        try:
            if self._take_word("not"):
                return Not(self.negation())
            if self._take(re.compile(r"\(")):
                inner = self.either()
                if not self._take(re.compile(r"\)")):
                    raise self.fail("')'")
                return inner
            return self.comparison()
        finally:
            self.depth -= 1

    def comparison(self) -> Comparison:
        match = self._take(_FIELD)
        if match is None:
            raise self.fail("a comparison such as Status eq 'Completed'")
        return Comparison(match[1], match[2], match[3], self.value())

    def value(self) -> str | None:
        next_character = self.text[self.position : self.position + 1]
        if next_character == "'":
            match = self._take(_SINGLE_QUOTED)
            if match is None:
                raise self.fail("a closing quote")
            return match[1].replace("''", "'")
        if next_character == '"':
            match = self._take(_DOUBLE_QUOTED)
            if match is None:
                raise self.fail("a closing quote")
            return match[1]
        match = None if next_character in ("", "(", ")") else self._take(_BARE)
        if match is None:
            raise self.fail("a value")
        return None if match[1] == "null" else match[1]


def parse_filter(text: str) -> Expression:
    """The expression that `text` means. Raises BadRequest, saying where, when it means none."""
    return _Parser(text).whole()


def parse_order(text: str | Sequence[str] | None) -> list[tuple[str, bool]]:
    """`"StartTimeUtc desc, RunId"` as fields, each with whether it descends.

    Raises BadRequest when it is not a list of fields with `asc` or `desc`.
    """
    parts = [] if not text else text.split(",") if isinstance(text, str) else list(text)
    order = []
    for part in parts:
        match = _ORDER.fullmatch(part) if isinstance(part, str) else None
        if match is None:
            raise BadRequest(
                f"The order {part!r} is not understood. It looks like: StartTimeUtc desc."
            )
        order.append((match[1], (match[2] or "asc").lower() == "desc"))
    return order
