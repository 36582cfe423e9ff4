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


def report(text: str) -> None:
    """Say how far a benchmark is; who shows it puts a function of its own here."""


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
    for turn in range(1, rounds + 1):
        report(f"turn {turn} of {rounds}")
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
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        system = f"macOS {platform.mac_ver()[0]}" if platform.mac_ver()[0] else platform.system()
    return (
        f"{processor}, {os.cpu_count()} cores, {memory:.0f} GiB, {system}, "
        f"Python {platform.python_version()}"
    )


def commit() -> str:
    """The commit that is measured, and whether files differ from it; "unknown" without git."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=FOLDER.parent, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", ":!benchmarks/RES*")
        return git("rev-parse", "--short=10", "HEAD") + (" with changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def circumstances() -> dict[str, str]:
    """When, what and where is measured: to be taken before, since measuring is load itself."""
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "machine": machine(),
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def keep(
    measured: dict[str, list[Row]], order: list[str], around: dict[str, str] | None = None
) -> None:
    """Put rows into the record by the name of their benchmark, and write the page anew.

    `around` is what `circumstances` gave before the measurement.
    """
    record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    around = around or circumstances()
    for name, rows in measured.items():
        record[name] = {**around, "rows": [{**asdict(one), "ratio": one.ratio} for one in rows]}
    record = {name: record[name] for name in order if name in record}
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(record), encoding="utf-8")


def sentence(one: Row) -> str:
    """A row as one line of text."""
    text = f"{one.what}: {_number(one.value)} {one.unit}"
    if one.ratio:
        text += f", {one.ratio:.2f} times {one.peer}"
    elif one.peer:
        text += f" ({one.peer})"
    verdict = {True: "goal met", False: "goal missed", None: ""}[one.met]
    return f"{text} ({verdict}: {one.goal})" if verdict else text


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
            if one["peer_value"] is not None:
                peer = f"{one['peer']}: {_number(one['peer_value'])} {one['unit']}"
            elif one["peer"]:
                peer = one["peer"]
            ratio = f"{one['ratio']:.2f}" if one["ratio"] else ""
            met = {True: "met", False: "**missed**", None: ""}[one["met"]]
            measured = f"{_number(one['value'])} {one['unit']}{spread}"
            cells = [name, one["what"], measured, peer, ratio, one["goal"], met]
            lines.append(f"| {' | '.join(cells)} |")
            if one["note"]:
                notes.append(f"- {name}: {one['note']}")
    if notes:
        lines += ["", "## Notes", "", *dict.fromkeys(notes)]
    lines += ["", "## Machine, date and commit", ""]
    lines += [f"- {one}" for one in dict.fromkeys(entry["machine"] for entry in record.values())]
    lines += ["", "| | date | commit | load before, in processes |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {name} | {entry['date']} | {entry['commit']} | {entry['load']} |"
        for name, entry in record.items()
    ]
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"
