"""Measuring in pairs: subject and peer take turns, and the medians are compared.

Machines are noisy, and this one may be busy: a ratio of two things measured in turns says more than
either number. A library such as pyperf measures functions in fresh processes; what is measured here
is minutes of client, server and jobs together, so that a median over a few turns is all it takes.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
RECORD = FOLDER / "results.json"
PAGE = FOLDER / "RESULTS.md"


@dataclass(frozen=True)
class Row:
    """One line of the table; numbers are medians."""

    what: str
    value: float
    unit: str
    # What the goal says of `value`, or of the ratio: "at most 3 s".
    goal: str
    met: bool | None
    peer: str = ""
    peer_value: float | None = None
    # How far the single measurements lie apart: lowest and highest.
    low: float | None = None
    high: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Subject to peer."""
        return self.value / self.peer_value if self.peer_value else None


def seconds(action: Callable[[], object]) -> float:
    """How long `action` takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def in_turns(
    subject: Callable[[], float], peer: Callable[[], float] | None, rounds: int
) -> tuple[list[float], list[float]]:
    """What subject and peer measure, taking turns; each gives its own number."""
    mine: list[float] = []
    theirs: list[float] = []
    for _ in range(rounds):
        mine.append(subject())
        if peer is not None:
            theirs.append(peer())
    return mine, theirs


def row(
    what: str,
    unit: str,
    goal: str,
    is_met: Callable[[Row], bool] | None,
    mine: list[float],
    *,
    peer: str = "",
    theirs: list[float] | None = None,
    note: str = "",
) -> Row:
    """The line for measurements `mine`, beside those of a peer if there is one."""
    made = Row(
        what=what,
        value=statistics.median(mine),
        unit=unit,
        goal=goal,
        met=None,
        peer=peer,
        peer_value=statistics.median(theirs) if theirs else None,
        low=min(mine),
        high=max(mine),
        note=note,
    )
    return Row(**{**asdict(made), "met": is_met(made) if is_met else None})


def memory_of(pid: int) -> float:
    """Resident memory of a process in MiB, with what it has started."""
    listed = subprocess.run(
        ["ps", "-e", "-o", "pid=,ppid=,rss="], capture_output=True, text=True, check=True
    ).stdout
    sizes: dict[int, int] = {}
    children: dict[int, list[int]] = {}
    for line in listed.splitlines():
        process, parent, size = map(int, line.split())
        sizes[process] = size
        children.setdefault(parent, []).append(process)

    def total(process: int) -> int:
        return sizes.get(process, 0) + sum(map(total, children.get(process, [])))

    return total(pid) / 1024


def machine() -> str:
    """The machine in one line: processor, cores, memory, system, Python."""
    processor = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                processor = line.partition(":")[2].strip()
                break
    except FileNotFoundError:
        # macOS has no /proc; its platform.processor() says what there is to say.
        pass
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{platform.system()} {platform.release()}"
    return (
        f"{processor}, {os.cpu_count()} cores, {memory:.0f} GiB, {system}, "
        f"Python {platform.python_version()}"
    )


def keep(measured: dict[str, list[Row]], order: list[str]) -> None:
    """Put rows into the record by the name of their benchmark, and write the page anew."""
    record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    for name, rows in measured.items():
        record[name] = {
            "date": now,
            "machine": machine(),
            "rows": [{**asdict(one), "ratio": one.ratio} for one in rows],
        }
    record = {name: record[name] for name in order if name in record}
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(record), encoding="utf-8")


def page(record: dict) -> str:
    """`RESULTS.md` for a record."""
    lines = [
        "# What is measured",
        "",
        "`.venv/bin/python -m benchmarks` measures all of it and writes this page; names after it",
        "(`.venv/bin/python -m benchmarks start jobs`) measure only these. Numbers are medians, in",
        "brackets lowest and highest. A ratio is subject to peer, which took turns with it.",
        "",
        "| | what | measured | peer | ratio | goal | |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    notes: list[str] = []
    for name, entry in record.items():
        for one in entry["rows"]:
            spread = ""
            if one["low"] is not None and one["low"] != one["high"]:
                spread = f" ({_number(one['low'])}-{_number(one['high'])})"
            peer = ""
            if one["peer"]:
                peer = f"{one['peer']}: {_number(one['peer_value'])} {one['unit']}"
            ratio = f"{one['ratio']:.2f}" if one["ratio"] else ""
            met = {True: "met", False: "**missed**", None: ""}[one["met"]]
            measured = f"{_number(one['value'])} {one['unit']}{spread}"
            cells = [name, one["what"], measured, peer, ratio, one["goal"], met]
            lines.append(f"| {' | '.join(cells)} |")
            if one["note"]:
                notes.append(f"- {name}: {one['note']}")
    if notes:
        lines += ["", "## Notes", "", *dict.fromkeys(notes)]
    lines += ["", "## Machine and date", ""]
    lines += [f"- {name}: {entry['date']}, {entry['machine']}" for name, entry in record.items()]
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"
