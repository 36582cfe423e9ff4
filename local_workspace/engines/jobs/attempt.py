"""One start of a job, and what its nodes have told of it."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path

from local_workspace.engines.nodes import NodeOutcome, ProcessOutcome
from local_workspace.whole_files import write_whole


@dataclass(frozen=True)
class Attempt:
    """One start of a job: its number, from 1 on, its Python, and how long the job ran before."""

    number: int
    python: Path
    ran_seconds: float = 0.0


@dataclass
class News:
    """What the nodes of one attempt have told; told from their threads, read by the engine's."""

    attempt: int
    _outcomes: dict[int, NodeOutcome] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def tell(self, attempt: int, node: int, outcome: NodeOutcome) -> None:
        """A node has ended. What comes late from an earlier attempt is not for this one."""
        with self._lock:
            if attempt == self.attempt:
                self._outcomes[node] = outcome

    def so_far(self) -> dict[int, NodeOutcome]:
        """The outcomes of the nodes that have ended, by node."""
        with self._lock:
            return dict(sorted(self._outcomes.items()))


def write_outcomes(path: Path, outcomes: list[NodeOutcome]) -> None:
    """Keep how the nodes of an attempt ended, in their order, for after a crash."""
    write_whole(path, json.dumps([asdict(outcome) for outcome in outcomes]))


def read_outcomes(path: Path) -> list[NodeOutcome] | None:
    """What `write_outcomes` kept; None when there is nothing that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return [
            NodeOutcome(
                **{**outcome, "processes": [ProcessOutcome(**p) for p in outcome["processes"]]}
            )
            for outcome in found
        ]
    except (OSError, ValueError, TypeError, KeyError):
        return None
