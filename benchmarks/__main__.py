"""`python -m benchmarks [NAME ...]`: measure, print, and write RESULTS.md."""

from __future__ import annotations

import argparse
import multiprocessing

from rich.console import Console

from benchmarks import data, foundation, runs
from benchmarks.harness import PAGE, Row, keep

BENCHMARKS = {
    "start": foundation.start,
    "from_config": foundation.from_config,
    "small_reads": foundation.small_reads,
    "transfer": data.transfer,
    "data_frame": data.data_frame,
    "job": runs.job_overhead,
    "jobs": runs.many_jobs,
    "metrics": runs.metrics,
    "pages": runs.pages_of_runs,
}


def measure(name: str) -> list[Row]:
    """Run a benchmark in a process of its own: the SDK reads its cloud once, when imported."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(BENCHMARKS[name])


def main() -> None:
    """Measure what the command line names, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    names = parser.parse_args().names or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        parser.error(
            f"there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}"
        )
    console = Console(highlight=False)
    for name in names:
        with console.status(name):
            rows = measure(name)
        keep({name: rows}, list(BENCHMARKS))
        for one in rows:
            beside = f", {one.ratio:.2f} of {one.peer}" if one.ratio else ""
            met = {True: " (goal met)", False: f" (goal: {one.goal})", None: ""}[one.met]
            console.print(f"{name}: {one.what}: {one.value:.3g} {one.unit}{beside}{met}")
    console.print(f"Wrote {PAGE}.")


if __name__ == "__main__":
    main()
