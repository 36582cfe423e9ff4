"""How numbers, times and charts are drawn."""

import json
import math
import sys
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_workspace.studio import charts, rendering
from local_workspace.studio.charts import line_chart
from local_workspace.studio.files import _whole_characters


def points_of(chart):
    return [
        tuple(map(float, point.split(","))) for line in chart.lines for point in line.split(" ")
    ] + chart.dots


def test_a_line_goes_from_corner_to_corner():
    chart = line_chart([(0, 1.0), (1, 2.0), (2, 3.0)], "step")
    assert chart.lines == [
        f"{chart.left}.0,{chart.bottom}.0 "
        f"{(chart.left + chart.right) / 2},{(chart.top + chart.bottom) / 2} "
        f"{chart.right}.0,{chart.top}.0"
    ]
    assert [tick.label for tick in chart.x_ticks] == ["0", "2"]
    assert [tick.label for tick in chart.y_ticks] == ["1", "1.5", "2", "2.5", "3"]


def test_what_is_no_number_interrupts_the_line():
    values = [1.0, 2.0, math.nan, 3.0, math.inf, 4.0, 5.0]
    chart = line_chart(list(enumerate(values)), "step")
    assert [len(line.split(" ")) for line in chart.lines] == [2, 2]
    assert len(chart.dots) == 1
    assert line_chart([(0, math.nan), (1, -math.inf)], "step") is None
    assert line_chart([], "step") is None


def test_many_points_keep_their_extremes():
    values = [math.sin(i / 1000) for i in range(50_000)]
    values[31_234], values[4_321] = 9.0, -9.0
    chart = line_chart(list(enumerate(values)), "step")
    ys = [y for _, y in points_of(chart)]
    assert len(ys) <= 2 * charts.WIDTH
    assert (min(ys), max(ys)) == (chart.top, chart.bottom)


_NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


@given(st.lists(_NUMBERS, min_size=1, max_size=30))
def test_every_point_lies_in_the_drawing(values):
    chart = line_chart([(float(i), value) for i, value in enumerate(values)], "step")
    finite = [value for value in values if math.isfinite(value)]
    assert (chart is None) == (not finite)
    if chart is not None:
        assert len(points_of(chart)) == len(finite)
        for x, y in points_of(chart):
            assert chart.left <= x <= chart.right and chart.top <= y <= chart.bottom


def test_a_single_value_of_any_size_is_a_dot():
    for value in (0.0, 5.0, -sys.float_info.max, sys.float_info.max, 5e-324):
        chart = line_chart([(7.0, value)], "step")
        assert len(chart.dots) == 1 and not chart.lines


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1 / 3, "0.333333"),
        (17.0, "17"),
        (1e300, "1e+300"),
        (math.nan, "NaN"),
        (-math.inf, "-Infinity"),
        ("text", "text"),
        (None, "–"),
        (True, "True"),
        (10**20, "100000000000000000000"),
    ],
)
def test_numbers(value, written):
    assert rendering.number(value) == written


def test_durations_and_sizes():
    start = datetime(2026, 1, 31, 9, 5)
    for seconds, written in ((0.04, "0.0 s"), (59.9, "59.9 s"), (59.99, "1 min 00 s")):
        assert rendering.duration(start, start + timedelta(seconds=seconds)) == written
    assert rendering.duration(start, start + timedelta(minutes=61)) == "1 h 01 min"
    assert rendering.duration(None, None) == "–"
    # A run that goes on: until now, with and without a zone as databases give them.
    assert rendering.duration(datetime.now(timezone.utc), None).endswith("0.0 s")
    assert [rendering.size(n) for n in (0, 1, 1023, 1536, 2**20, 3 * 2**40)] == [
        "0 bytes",
        "1 byte",
        "1023 bytes",
        "1.5 KiB",
        "1.0 MiB",
        "3072.0 GiB",
    ]


def test_definitions_are_shown_without_passwords():
    shown = json.loads(
        rendering.pretty(
            {"registry": {"password": "hush", "address": "a"}, "sasToken": "s", "n": 1}
        )
    )
    assert shown == {
        "registry": {"password": "(not shown)", "address": "a"},
        "sasToken": "(not shown)",
        "n": 1,
    }


@given(st.text(), st.integers(min_value=0, max_value=200))
def test_a_log_is_cut_between_characters(text, cut):
    content = text.encode()[:cut]
    kept = _whole_characters(content)
    assert text.startswith(kept.decode())
    assert content.startswith(kept) and len(content) - len(kept) < 4
