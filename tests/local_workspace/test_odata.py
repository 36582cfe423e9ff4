"""OData filters: what is parsed, and that SQL gives what the filter means."""

import operator
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import JSON, Boolean, Column, DateTime, Integer, MetaData, Table, Text, select
from sqlalchemy.dialects import postgresql

from local_workspace.errors import BadRequest
from local_workspace.odata import And, Comparison, Not, Or, parse_filter, parse_order
from local_workspace.odata_sql import (
    keys_field,
    number_field,
    text_field,
    time_field,
    to_sql,
    truth_field,
)
from local_workspace.store.database import Database

RECORDS = Table(
    "records",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("text", Text),
    Column("number", Integer),
    Column("moment", DateTime(timezone=True)),
    Column("flag", Boolean),
    Column("tags", JSON),
)
FIELDS = {
    "text": text_field(RECORDS.c.text),
    "number": number_field(RECORDS.c.number),
    "moment": time_field(RECORDS.c.moment),
    "flag": truth_field(RECORDS.c.flag),
    "tags": keys_field(RECORDS.c.tags),
}
NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
OPERATORS = {name: getattr(operator, name) for name in ("eq", "ne", "gt", "ge", "lt", "le")}

texts = st.sampled_from(["", "a", "A", "it's", 'say "hi"', "x and y", "(b)", "ü", "null", "%", "1"])
keys = st.sampled_from(["k", "two words", "dotted.key", "it's", 'q"uote', "ü", "a/b"])


@st.composite
def records(draw):
    return {
        "text": draw(st.none() | texts),
        "number": draw(st.none() | st.integers(-2, 2)),
        "moment": draw(
            st.none() | st.integers(-2, 2).map(lambda hours: NOON + timedelta(hours=hours))
        ),
        "flag": draw(st.none() | st.booleans()),
        "tags": draw(st.dictionaries(keys, st.none() | texts, max_size=3)),
    }


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


@st.composite
def comparisons(draw):
    """A comparison as (text of the filter, function of a record)."""
    name = draw(st.sampled_from(["text", "number", "moment", "flag", "tags"]))
    word = draw(st.sampled_from(sorted(OPERATORS)))
    compare = OPERATORS[word]
    spelled = draw(st.sampled_from([name, name.title()]))
    if name == "tags":
        key, value = draw(keys), draw(st.none() | texts)
        word = draw(st.sampled_from(["eq", "ne"]))
        written = "null" if value is None else quoted(value)

        def holds(record):
            return key in record["tags"] and (record["tags"][key] == value) == (word == "eq")

        return f"{spelled}/{key} {word} {written}", holds
    if draw(st.booleans()) and word in ("eq", "ne"):
        return f"{spelled} {word} null", lambda record: (record[name] is None) == (word == "eq")
    if name == "text":
        value = draw(texts)
        written = quoted(value)
    elif name == "number":
        value = draw(st.integers(-2, 2))
        written = str(value)
    elif name == "moment":
        value = NOON + timedelta(hours=draw(st.integers(-2, 2)))
        written = draw(st.sampled_from([str(value), value.isoformat(), quoted(str(value))]))
    else:
        value = draw(st.booleans())
        word = draw(st.sampled_from(["eq", "ne"]))
        compare = OPERATORS[word]
        written = draw(st.sampled_from([str(value), str(value).lower()]))

    def holds_for(record):
        if record[name] is None:
            return word == "ne"
        return compare(record[name], value)

    return f"{spelled} {word} {written}", holds_for


def joined(word, how):
    def build(parts):
        text = f" {word} ".join(f"({part})" for part, _ in parts)
        return text, lambda record: how(holds(record) for _, holds in parts)

    return build


def negated(part):
    text, holds = part
    return f"not ({text})", lambda record: not holds(record)


filters = st.recursive(
    comparisons(),
    lambda inner: (
        st.lists(inner, min_size=2, max_size=3).map(joined("and", all))
        | st.lists(inner, min_size=2, max_size=3).map(joined("or", any))
        | inner.map(negated)
    ),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('odata') / 'records.db'}")
    RECORDS.create(database.engine)
    yield database
    database.close()


@settings(max_examples=200, deadline=None)
@given(st.lists(records(), min_size=1, max_size=8), filters)
def test_sql_finds_what_the_filter_means(database, rows, a_filter):
    text, holds = a_filter
    with database.engine.connect() as connection:
        connection.execute(
            RECORDS.insert(), [{"id": number, **row} for number, row in enumerate(rows)]
        )
        found = connection.scalars(select(RECORDS.c.id).where(to_sql(parse_filter(text), FIELDS)))
        assert sorted(found) == [number for number, row in enumerate(rows) if holds(row)]
        connection.rollback()


def test_and_binds_more_tightly_than_or_and_not_more_than_both():
    one, two, three = (Comparison("A", None, "eq", value) for value in "123")
    assert parse_filter("A eq 1 or A eq 2 and A eq 3") == Or((one, And((two, three))))
    assert parse_filter("(A eq 1 or A eq 2) and A eq 3") == And((Or((one, two)), three))
    assert parse_filter("not A eq 1 and A eq 2") == And((Not(one), two))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(ParentRunId eq null)", Comparison("ParentRunId", None, "eq", None)),
        ("(Status eq Completed)", Comparison("Status", None, "eq", "Completed")),
        (
            "(CreatedUtc ge 2026-01-31 10:00:00+00:00)",
            Comparison("CreatedUtc", None, "ge", "2026-01-31 10:00:00+00:00"),
        ),
        ('(Tags/my tag eq "a "b" c")', Comparison("Tags", "my tag", "eq", 'a "b" c')),
        ("name eq a metric of mine", Comparison("name", None, "eq", "a metric of mine")),
        ("Name eq 'it''s'", Comparison("Name", None, "eq", "it's")),
        ("Name eq 'null'", Comparison("Name", None, "eq", "null")),
        ("Name eq ''", Comparison("Name", None, "eq", "")),
        ("  RunId  eq  a  ", Comparison("RunId", None, "eq", "a")),
    ],
)
def test_the_filters_of_the_sdk_are_understood(text, expected):
    assert parse_filter(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        None,
        5,
        {"Status": "Completed"},
        "",
        "Status",
        "Status eq",
        "Status eq (",
        "Status is Completed",
        "(Status eq a",
        "Status eq a)",
        "Status eq 'a",
        'Status eq "a',
        "Status eq a and",
        "not",
        "(" * 100 + "Status eq a" + ")" * 100,
        "not " * 5000 + "Status eq a",
    ],
)
def test_what_is_no_filter_is_refused(text):
    with pytest.raises(BadRequest):
        parse_filter(text)


# What once took the time of its length squared: minutes for these.
@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    [
        "A eq b" + " " * 90_000 + "c",
        "A eq 'b'" + " " * 90_000 + "c",
        "A/" + " " * 90_000 + "c",
        "A/b" + " " * 90_000 + "c",
        "A" + " " * 90_000 + "c",
        'A eq "b" and c/' + " " * 90_000,
        'A eq "' + '" and c/' * 10_000,
        "A/" + "b/" * 45_000 + " eq c",
    ],
)
def test_blanks_without_end_take_no_time(text):
    try:
        to_sql(parse_filter(text), FIELDS)
    except BadRequest as error:
        assert len(error.message) < 500


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="aT/ ()'\"eqnotrdul1,=\n", max_size=60))
def test_any_text_is_a_filter_or_refused(text):
    try:
        to_sql(parse_filter(text), FIELDS)
    except BadRequest as error:
        assert error.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Color eq red", "'Color'"),
        ("Text/key eq a", "'Text/key'"),
        ("Tags eq a", "'Tags'"),
        ("Number eq many", "'many'"),
        ("Number eq 9223372036854775808", "'9223372036854775808'"),
        ("Moment ge 0001-01-01T00:00:00+23:00", "'0001-"),
        ("Moment ge yesterday", "'yesterday'"),
        ("Flag eq maybe", "'maybe'"),
        ("Flag gt true", "'Flag'"),
        ("Number gt null", "gt null"),
        ("Tags/k gt 'a'", "Tags/k"),
        (" or ".join(f"Tags/k eq '{n}'" for n in range(1000)), "400"),
    ],
)
def test_a_filter_that_fits_no_field_is_refused_by_name(text, said):
    with pytest.raises(BadRequest) as refusal:
        to_sql(parse_filter(text), FIELDS)
    assert said in refusal.value.message


def test_a_thousand_alternatives_of_one_field_are_one_list(database):
    text = " or ".join(f"Number eq {n}" for n in range(1000))
    with database.engine.connect() as connection:
        connection.execute(RECORDS.insert(), [{"id": 1, "number": 999}, {"id": 2, "number": -1}])
        query = select(RECORDS.c.id).where(to_sql(parse_filter(text), FIELDS))
        assert connection.scalars(query).all() == [1]
        connection.rollback()


def test_tags_are_looked_up_in_postgresql_too():
    condition = to_sql(parse_filter("Tags/k eq 'v'"), FIELDS)
    assert "json_each_text(records.tags)" in str(condition.compile(dialect=postgresql.dialect()))


def test_orders():
    assert parse_order("StartTimeUtc desc, RunId") == [("StartTimeUtc", True), ("RunId", False)]
    assert parse_order(["CreatedUtc ASC"]) == [("CreatedUtc", False)]
    assert parse_order(None) == []
    for wrong in ("a b c", "StartTimeUtc downwards", "1st", ["x", 5], 5, {"a": 1}):
        with pytest.raises(BadRequest):
            parse_order(wrong)
