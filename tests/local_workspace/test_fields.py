"""JSON and its fields: what could not be kept is refused by its name."""

import json

import pytest

from local_workspace.errors import BadRequest
from local_workspace.fields import (
    MAX_DEPTH,
    check_value,
    flag_of,
    json_object,
    list_of,
    number_of,
    object_of,
    parse_json,
    row_number,
    text_of,
)


@pytest.mark.parametrize(
    "value",
    [None, True, 1.5, -(2**63), 2**63 - 1, "ü😀", ["a", {"b": [None]}], {"a": {"b": "c"}}],
)
def test_what_can_be_kept_is_read_as_it_is(value):
    assert parse_json(json.dumps(value).encode()) == value
    assert parse_json(json.dumps(value, ensure_ascii=False).encode("utf-16")) == value
    assert parse_json(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "not JSON"),
        (b"\xff\xff", "not JSON"),
        (b'"\xed\xa0\x80"', "not JSON"),
        (b"[" * 5000 + b"]" * 5000, f"{MAX_DEPTH} levels"),
        (b'{"a":' * 250 + b"1" + b"}" * 250, f"{MAX_DEPTH} levels"),
        (b"9" * 10_000, "not JSON"),
        (b"9223372036854775808", "'the body' is a whole number beyond 64 bits"),
        (b'{"runs": [{"top": -9223372036854775809}]}', "'runs[0].top' is a whole number"),
        (b'{"tags": {"stage": "a\\u0000b"}}', "'tags.stage' contains the character NUL"),
        (b'{"tags": {"st\\u0000age": 1}}', "'tags.st\\0age' contains the character NUL"),
        (b'{"tags": {"stage": "\\ud800"}}', "'tags.stage' contains half of a character"),
        (b'[{"\\udfff": 1}]', "'[0].\\udfff' contains half of a character"),
        (b'"\\u0000"', "'the body' contains the character NUL"),
    ],
)
def test_what_cannot_be_kept_is_refused(body, said):
    with pytest.raises(BadRequest) as refusal:
        parse_json(body)
    assert said in refusal.value.message
    # What is said can be sent.
    assert len(refusal.value.message.encode()) < 500


def test_trees_of_folders_are_not_too_deep():
    body = '{"children":' * (MAX_DEPTH - 1) + "{}" + "}" * (MAX_DEPTH - 1)
    assert parse_json(body)


def test_numbers_of_any_size_where_they_are_asked_for():
    check_value({"value": 2**70}, large_numbers=True)
    with pytest.raises(BadRequest, match="value"):
        check_value({"value": 2**70})


def test_fields_by_kind():
    document = {
        "text": "t",
        "number": 5,
        "flag": True,
        "list": [1],
        "object": {"a": 1},
        "null": None,
    }
    assert text_of(document, "text", longest=1) == "t"
    assert number_of(document, "number") == 5
    assert flag_of(document, "flag") is True
    assert list_of(document, "list") == [1]
    assert object_of(document, "object") == {"a": 1}
    assert json_object(document) is document
    for name in ("null", "missing"):
        assert (
            text_of(document, name) is number_of(document, name) is flag_of(document, name) is None
        )
        assert (list_of(document, name), object_of(document, name)) == ([], {})
    for reader in (text_of, number_of, flag_of, list_of, object_of):
        for name in document:
            right = {"text_of": "text", "number_of": "number", "flag_of": "flag"}
            right |= {"list_of": "list", "object_of": "object"}
            if name not in (right[reader.__name__], "null"):
                with pytest.raises(BadRequest, match=name):
                    reader(document, name)
    with pytest.raises(BadRequest, match="'text' has 1 characters; it can have 0"):
        text_of(document, "text", longest=0)
    for value in (None, 5, "x", [document]):
        with pytest.raises(BadRequest, match="JSON object"):
            json_object(value)


def test_continuation_tokens_that_are_row_numbers():
    assert row_number("17", "token") == row_number(17, "token") == 17
    for wrong in ("", "-1", "²", "1.5", "9" * 19, None, ["1"], "9" * 5000):
        with pytest.raises(BadRequest) as refusal:
            row_number(wrong, "token")
        assert len(refusal.value.message) < 200
