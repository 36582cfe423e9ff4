"""`python -m benchmarks [NAME ...]`: measure, print, and write RESULTS.md."""

from __future__ import annotations

import argparse
import sys

from benchmarks import data, foundation, runs
from benchmarks.running import run

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


def main(arguments: list[str] | None = None) -> int:
    """Measure what the command line names, or all; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    names = parser.parse_args(arguments).names or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        parser.error(
            f"there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}"
        )
    return run(list(dict.fromkeys(names)), BENCHMARKS)


if __name__ == "__main__":
    sys.exit(main())
