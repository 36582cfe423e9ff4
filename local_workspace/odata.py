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
from dataclasses import dataclass
from typing import TypeAlias

from local_workspace.errors import BadRequest
from local_workspace.fields import shown

# Of a filter, in characters: two thousand ids of runs.
MAX_LENGTH = 100_000
_MAX_DEPTH = 60
_MAX_ORDERS = 20

# Each pattern is matched where the text is, or searched for once from there, and none can match the
# same blanks in two ways: what is no filter is refused in a time that grows with its length only.
_SPACE = re.compile(r"\s*")
_WORD = re.compile(r"(and|or|not)(?=[\s(]|\Z)")
_NAME = re.compile(r"[A-Za-z_]\w*")
_OPERATOR = re.compile(r"\s+(eq|ne|gt|ge|lt|le)(?=\s)")
_END_OF_KEY = re.compile(r"\s(eq|ne|gt|ge|lt|le)(?=\s)")
_SINGLE_QUOTED = re.compile(r"'((?:[^']|'')*)'")
_END_OF_BARE = re.compile(r"\)|\s(?:and|or)(?=[\s(]|\Z)|\Z")
# The SDK does not escape a quote in a text: the closing one is the first behind which the filter
# ends or goes on with another comparison.
_DOUBLE_QUOTED = re.compile(
    r'"(.*?)"(?=[\s)]*\Z|[\s)]+(?:and|or)[\s(]+(?:not[\s(]+)*'
    r"[A-Za-z_]\w*(?:\s+|/[^\"]*?\s)(?:eq|ne|gt|ge|lt|le)\s)",
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
            self._go_to(match.end())
        return match

    def _go_to(self, position: int) -> None:
        self.position = _SPACE.match(self.text, position).end()  # type: ignore[union-attr]

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
        name = _NAME.match(self.text, self.position)
        if name is None:
            raise self._no_comparison()
        start, key = name.end(), None
        if self.text.startswith("/", start):
            start += 1
            match = _END_OF_KEY.search(self.text, start + 1)
            key = self.text[start : match.start()].rstrip() if match else None
            if not key:
                raise self._no_comparison()
        else:
            match = _OPERATOR.match(self.text, start)
        if match is None:
            raise self._no_comparison()
        self._go_to(match.end())
        return Comparison(name[0], key, match[1], self.value())

    def _no_comparison(self) -> BadRequest:
        return self.fail("a comparison such as Status eq 'Completed'")

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
        if next_character in ("", "(", ")"):
            raise self.fail("a value")
        start = self.position
        end = _END_OF_BARE.search(self.text, start + 1).start()  # type: ignore[union-attr]
        self._go_to(end)
        bare = self.text[start:end].rstrip()
        return None if bare == "null" else bare


def parse_filter(text: object) -> Expression:
    """The expression that `text` means. Raises BadRequest, saying where, when it means none."""
    if not isinstance(text, str):
        raise BadRequest(f"'filter' must be text, not {shown(text)}.")
    if len(text) > MAX_LENGTH:
        raise BadRequest(f"The filter has {len(text)} characters; at most {MAX_LENGTH} are taken.")
    return _Parser(text).whole()


def parse_order(text: object) -> list[tuple[str, bool]]:
    """`"StartTimeUtc desc, RunId"`, or a list of such, as fields, each with whether it descends.

    None and what is empty order by nothing. Raises BadRequest when it is not a list of fields with
    `asc` or `desc`.
    """
    if text is not None and not isinstance(text, (str, list)):
        raise BadRequest(f"'orderby' must be text or a list of texts, not {shown(text)}.")
    parts = [] if not text else text.split(",") if isinstance(text, str) else text
    if len(parts) > _MAX_ORDERS:
        raise BadRequest(f"The order has {len(parts)} fields; at most {_MAX_ORDERS} are taken.")
    order = []
    for part in parts:
        match = _ORDER.fullmatch(part) if isinstance(part, str) else None
        if match is None:
            raise BadRequest(
                f"The order {shown(part)} is not understood. It looks like: StartTimeUtc desc."
            )
        order.append((match[1], (match[2] or "asc").lower() == "desc"))
    return order
