"""Runs benchmarks, each in a process of its own, and shows how far they are."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from benchmarks import harness
from benchmarks.harness import Row

_LAST_LINES = 15
# What a benchmark has to stop its servers when it is told to end.
_END_SECONDS = 60

Benchmark = Callable[[], list[Row]]


class BenchmarkError(Exception):
    """A benchmark could not be run; the message says why."""


def run(names: list[str], benchmarks: dict[str, Benchmark]) -> int:
    """Measure `names` one after the other, keep their rows and print them; the exit code.

    A benchmark that fails is named at once and hinders no other; its rows of last time stay. A goal
    that is missed is a result, not a failure.
    """
    console = Console(highlight=False, soft_wrap=True)
    signal.signal(signal.SIGTERM, _interrupt)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    failed = False
    try:
        with Progress(*columns, console=console, transient=True) as progress:
            for number, name in enumerate(names, 1):
                title = f"{number}/{len(names)} {name}"
                task = progress.add_task(title)

                def show(text: str, task=task, title=title) -> None:
                    progress.update(task, description=f"{title}: {text}")

                circumstances = harness.circumstances()
                try:
                    rows = measure(benchmarks[name], show)
                except BenchmarkError as error:
                    failed = True
                    console.print(f"{name} could not be measured. {error}", markup=False)
                else:
                    harness.keep({name: rows}, list(benchmarks), circumstances)
                    for row in rows:
                        console.print(f"{name}: {harness.sentence(row)}", markup=False)
                progress.remove_task(task)
    except KeyboardInterrupt:
        console.print("Stopped. What was measured before is kept.")
        return 1
    console.print(f"The table is in {harness.PAGE}.", markup=False)
    return 1 if failed else 0


def measure(benchmark: Benchmark, show: Callable[[str], None]) -> list[Row]:
    """Run a benchmark in a process of its own: the SDK reads its cloud once, when imported.

    `show` is called with how far it is. Raises BenchmarkError, with the last lines of what the
    process wrote, when the benchmark fails. However this ends, the process has stopped its servers.
    """
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="benchmark-log-") as folder:
        log = Path(folder) / "log.txt"
        reading, writing = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(benchmark, writing, str(log)))
        process.start()
        writing.close()
        try:
            while True:
                kind, content = reading.recv()
                if kind == "rows":
                    return content
                show(content)
        except EOFError:
            process.join()
            said = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
            last = "\n".join(said.splitlines()[-_LAST_LINES:])
            raise BenchmarkError(f"Its last lines:\n{last}") from None
        finally:
            if sys.exc_info()[0] is KeyboardInterrupt and process.pid:
                os.kill(process.pid, signal.SIGTERM)
            process.join(_END_SECONDS)
            if process.is_alive():
                process.kill()


def _work(benchmark: Benchmark, connection: Connection, log: str) -> None:
    # Ctrl+C reaches the parent only, which asks for an end once: cleaning up is not interrupted.
    os.setsid()
    signal.signal(signal.SIGTERM, _interrupt)
    with open(log, "wb", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    harness.report = lambda text: connection.send(("progress", text))
    try:
        connection.send(("rows", benchmark()))
    except Exception:
        # Whatever it fails with is in its log; the others are measured all the same.
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        connection.close()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
