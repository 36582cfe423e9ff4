"""Filters of OData as conditions of SQL, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import operator as operators
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, exists, literal, not_, or_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.functions import FunctionElement

from local_workspace.clock import parse_iso
from local_workspace.errors import BadRequest
from local_workspace.fields import cut
from local_workspace.odata import And, Comparison, Expression, Not, Or

# A chain of SQL's OR is a tree as deep as it is long, and SQLite takes a depth of 1,000.
_MAX_COMPARISONS = 400

_NEGATED = {"eq": "ne", "ne": "eq", "gt": "le", "le": "gt", "ge": "lt", "lt": "ge"}


class _Pairs(FunctionElement):
    """The keys and values of a JSON object as rows."""

    name = "json_each"
    inherit_cache = True


@compiles(_Pairs)
def _pairs_by_default(element: _Pairs, compiler: Any, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(_Pairs, "postgresql")
def _pairs_in_postgresql(element: _Pairs, compiler: Any, **options: Any) -> str:
    return f"json_each_text({compiler.process(element.clauses, **options)})"


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


@dataclass(frozen=True)
class Field:
    """A column that can be filtered by.

    `convert` makes the column's type of the text in a filter, raising ValueError. A field with
    `keys` is a JSON object; its members are compared as text.
    """

    column: Any
    convert: Callable[[str], Any] = str
    keys: bool = False


def text_field(column: Any) -> Field:
    """A column of text."""
    return Field(column)


def time_field(column: Any) -> Field:
    """A column of moments in UTC."""
    return Field(column, parse_iso)


def _whole_number(text: str) -> int:
    number = int(text)
    if not -(2**63) <= number < 2**63:
        # No database has a larger one.
        raise ValueError(text)
    return number


def number_field(column: Any) -> Field:
    """A column of whole numbers."""
    return Field(column, _whole_number)


def truth_field(column: Any) -> Field:
    """A column of true and false."""
    return Field(column, _truth)


def keys_field(column: Any) -> Field:
    """A column with a JSON object, asked for as `Field/key`."""
    return Field(column, keys=True)


def to_sql(expression: Expression, fields: Mapping[str, Field]) -> ColumnElement:
    """`expression` as an SQL condition over `fields`, whose names are in lower case.

    Raises BadRequest for a field that is not there and for a value that does not fit it.
    """
    if _count(expression) > _MAX_COMPARISONS:
        raise BadRequest(f"The filter has more than {_MAX_COMPARISONS} comparisons.")
    return _condition(expression, fields, negated=False)


def _equals_by_field(expression: Or) -> dict[str, list[str]]:
    """Values that an Or compares one plain field with: SQL has IN for them."""
    values: dict[str, list[str]] = {}
    for operand in expression.operands:
        if (
            isinstance(operand, Comparison)
            and (operand.operator, operand.key) == ("eq", None)
            and operand.value is not None
        ):
            values.setdefault(operand.field, []).append(operand.value)
    return {field: found for field, found in values.items() if len(found) > 1}


def _is_in(operand: Expression, together: Mapping[str, Any]) -> bool:
    return (
        isinstance(operand, Comparison)
        and (operand.operator, operand.key) == ("eq", None)
        and operand.value is not None
        and operand.field in together
    )


def _count(expression: Expression) -> int:
    if isinstance(expression, Comparison):
        return 1
    if isinstance(expression, Not):
        return _count(expression.operand)
    together = _equals_by_field(expression) if isinstance(expression, Or) else {}
    rest = (operand for operand in expression.operands if not _is_in(operand, together))
    return len(together) + sum(_count(operand) for operand in rest)


def _condition(
    expression: Expression, fields: Mapping[str, Field], *, negated: bool
) -> ColumnElement:
    # Negation goes down to the comparisons, where an empty field is decided on: in SQL it would
    # make the comparison unknown, and its opposite too.
    if isinstance(expression, Not):
        return _condition(expression.operand, fields, negated=not negated)
    if isinstance(expression, Comparison):
        return _comparison(expression, fields, negated=negated)
    parts: list[ColumnElement] = []
    operands: Sequence[Expression] = expression.operands
    if isinstance(expression, Or):
        together = _equals_by_field(expression)
        for name, values in together.items():
            field = _plain(name, fields)
            inside = field.column.in_([_converted(field, name, value) for value in values])
            parts.append(or_(field.column.is_(None), not_(inside)) if negated else inside)
        operands = [operand for operand in operands if not _is_in(operand, together)]
    parts += [_condition(operand, fields, negated=negated) for operand in operands]
    return and_(*parts) if isinstance(expression, And) != negated else or_(*parts)


def _plain(name: str, fields: Mapping[str, Field]) -> Field:
    field = fields.get(name.lower())
    if field is None or field.keys:
        raise BadRequest(
            f"The filter asks for '{cut(name)}', which cannot be filtered by. These can: "
            + ", ".join(sorted(f"{n}/KEY" if f.keys else n for n, f in fields.items()))
            + "."
        )
    return field


def _converted(field: Field, name: str, value: str) -> Any:
    try:
        return field.convert(value)
    except ValueError as error:
        raise BadRequest(f"'{cut(value)}' is not a value that '{name}' can have.") from error


def _comparison(
    comparison: Comparison, fields: Mapping[str, Field], *, negated: bool
) -> ColumnElement:
    name, key, operator, value = (
        comparison.field,
        comparison.key,
        comparison.operator,
        comparison.value,
    )
    if key is not None:
        name, key = _name_and_key(f"{name}/{key}", fields)
    if key is not None:
        return _member(fields[name.lower()], name, key, operator, value, negated=negated)
    field = _plain(name, fields)
    if negated:
        operator = _NEGATED[operator]
    column = field.column
    if value is None:
        if comparison.operator not in ("eq", "ne"):
            raise BadRequest(f"'{comparison.operator} null' has no meaning: use 'eq' or 'ne'.")
        return column.is_(None) if operator == "eq" else column.is_not(None)
    wanted = _converted(field, name, value)
    if isinstance(wanted, bool) and operator not in ("eq", "ne"):
        raise BadRequest(f"'{name}' is true or false: compare it with 'eq' or 'ne'.")
    condition = getattr(operators, operator)(column, wanted)
    # An empty field differs from every value, and is neither more nor less than it.
    holds_when_empty = (comparison.operator == "ne") != negated
    return or_(column.is_(None), condition) if holds_when_empty else condition


def _name_and_key(path: str, fields: Mapping[str, Field]) -> tuple[str, str | None]:
    """The field that `path` names, and the key in it; None for a field that has none.

    `RunTypeV2/Traits/x`: the field's own name may have slashes in it.
    """
    for name, field in fields.items():
        if field.keys and path[: len(name) + 1].lower() == f"{name}/":
            return path[: len(name)], path[len(name) + 1 :]
    return path, None


def _member(
    field: Field,
    name: str,
    key: str,
    operator: str,
    value: str | None,
    *,
    negated: bool,
) -> ColumnElement:
    if operator not in ("eq", "ne"):
        raise BadRequest(f"'{name}/{cut(key)}' is text: compare it with 'eq' or 'ne'.")
    pair = _Pairs(field.column).table_valued("key", "value").alias()
    if value is None:
        condition = pair.c.value.is_(None) if operator == "eq" else pair.c.value.is_not(None)
    elif operator == "eq":
        condition = pair.c.value == value
    else:
        condition = or_(pair.c.value.is_(None), pair.c.value != value)
    found = exists(literal(1)).where(pair.c.key == key, condition)
    return not_(found) if negated else found
