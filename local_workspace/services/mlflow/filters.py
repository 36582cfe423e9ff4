"""MLflow's filters, for runs, experiments, models and versions, in a time that stays bounded.

MLflow turns the pattern of a LIKE into a regular expression with a `.*` for each `%`, which on a
text of forty letters may go on for minutes. Everything else of its search is its own.
"""

from __future__ import annotations

import re
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.utils.search_utils import (
    SearchExperimentsUtils,
    SearchModelUtils,
    SearchModelVersionUtils,
    SearchUtils,
)

from local_workspace.odata import MAX_LENGTH

MAX_PATTERN_LENGTH = 1000


class Like:
    """The texts that a pattern of SQL's LIKE means: it equals each of them.

    `%` stands for any text, `_` for one character. Each piece between two `%` is looked for once,
    behind the one before it, where it comes first: there is nothing to go back to.
    """

    def __init__(self, pattern: str, *, ignore_case: bool) -> None:
        flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
        pieces = pattern.split("%")
        self._pieces = [re.compile(re.escape(one).replace("_", "."), flags) for one in pieces]
        self._last_length = len(pieces[-1])

    def __eq__(self, text: object) -> bool:
        if not isinstance(text, str):
            return NotImplemented
        first, *others = self._pieces
        if not others:
            return first.fullmatch(text) is not None
        found = first.match(text)
        for piece in others[:-1]:
            found = found and piece.search(text, found.end())
        last_start = len(text) - self._last_length
        return bool(found and found.end() <= last_start and others[-1].fullmatch(text, last_start))

    __hash__ = None  # type: ignore[assignment]


class _Bounded(SearchUtils):
    """Goes before one of MLflow's search classes, all of which parse and page like this one."""

    @classmethod
    def parse_search_filter(cls, filter_string: str | None) -> list[dict[str, Any]]:
        """The clauses of a filter, each LIKE as an equation. Raises MlflowException."""
        if filter_string and len(filter_string) > MAX_LENGTH:
            raise MlflowException.invalid_parameter_value(
                f"The filter has {len(filter_string)} characters; at most {MAX_LENGTH} are taken."
            )
        return [cls._linear(clause) for clause in super().parse_search_filter(filter_string)]

    @classmethod
    def _linear(cls, clause: dict[str, Any]) -> dict[str, Any]:
        comparator = clause["comparator"].upper()
        is_attribute = clause["type"] == "attribute" and clause["key"] in cls.NUMERIC_ATTRIBUTES
        if comparator not in ("LIKE", "ILIKE") or is_attribute or clause["type"] == "metric":
            # Of a number, MLflow refuses it.
            return clause
        if not isinstance(clause["value"], str):
            raise MlflowException.invalid_parameter_value(f"{comparator} goes with a text.")
        if len(clause["value"]) > MAX_PATTERN_LENGTH:
            raise MlflowException.invalid_parameter_value(
                f"A pattern of {comparator} has at most {MAX_PATTERN_LENGTH} characters; this one "
                f"has {len(clause['value'])}."
            )
        value = Like(clause["value"], ignore_case=comparator == "ILIKE")
        return {**clause, "comparator": "=", "value": value}

    @classmethod
    def parse_start_offset_from_page_token(cls, page_token: str | None) -> int:
        """The number of the item that a page begins with. Raises MlflowException."""
        try:
            offset = super().parse_start_offset_from_page_token(page_token)
        except (AttributeError, TypeError, ValueError, OverflowError) as error:
            raise _no_token() from error
        if not 0 <= offset < 2**31:
            raise _no_token()
        return offset


def _no_token() -> MlflowException:
    return MlflowException.invalid_parameter_value("The page token is not one of this search.")


class RunSearch(_Bounded, SearchUtils):
    """The search among runs."""


class ExperimentSearch(_Bounded, SearchExperimentsUtils):
    """The search among experiments."""


class ModelSearch(_Bounded, SearchModelUtils):
    """The search among registered models."""


class ModelVersionSearch(_Bounded, SearchModelVersionUtils):
    """The search among versions of models."""
