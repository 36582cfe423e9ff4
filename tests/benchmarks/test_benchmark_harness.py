"""The harness of the benchmarks: pairs, medians, rows that are kept."""

import os
import subprocess
import sys

import pytest

from benchmarks import harness
from benchmarks.__main__ import BENCHMARKS


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "RECORD", tmp_path / "results.json")
    monkeypatch.setattr(harness, "PAGE", tmp_path / "RESULTS.md")
    return tmp_path


def line(value, peer_value=2.0):
    return harness.row(
        "a thing",
        "s",
        "at most 3 s",
        lambda one: one.value <= 3,
        [value, value + 1, value + 2],
        peer="another",
        theirs=[peer_value],
    )


def test_subject_and_peer_take_turns():
    order = []
    mine, theirs = harness.in_turns(
        lambda: order.append("mine") or 1.0, lambda: order.append("theirs") or 2.0, 3
    )
    assert order == ["mine", "theirs"] * 3
    assert (mine, theirs) == ([1.0] * 3, [2.0] * 3)


def test_a_row_has_median_spread_ratio_and_verdict():
    one = line(1.0)
    assert (one.value, one.low, one.high, one.ratio, one.met) == (2.0, 1.0, 3.0, 1.0, True)
    assert line(3.0).met is False


def test_a_part_of_the_benchmarks_renews_only_its_rows(files):
    order = ["first", "second"]
    harness.keep({"second": [line(1.0)], "first": [line(1.0)]}, order)
    harness.keep({"second": [line(7.0)]}, order)
    rows = [row for row in harness.PAGE.read_text().splitlines() if row.startswith("| ")][1:]
    cells = [[cell.strip() for cell in row.split("|")] for row in rows if "a thing" in row]
    assert [(row[1], row[3], row[7]) for row in cells] == [
        ("first", "2 s (1-3)", "met"),
        ("second", "8 s (7-9)", "**missed**"),
    ]


def test_a_process_is_weighed_with_its_children():
    code = "import sys; block = bytearray(64 * 2**20); print('ready', flush=True); sys.stdin.read()"
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    child.stdout.readline()
    assert harness.memory_of(child.pid) > 64
    assert harness.memory_of(os.getpid()) > harness.memory_of(child.pid)
    child.communicate()


def test_every_benchmark_says_what_it_measures():
    assert all(benchmark.__doc__ for benchmark in BENCHMARKS.values())
