"""How processes and nodes ended, and what a node is doing: values that the engine passes around."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ProcessOutcome:
    """The end of one process: `reason` is "exited", "canceled" or "timed out"."""

    rank: int
    reason: str
    exit_code: int

    @property
    def is_good(self) -> bool:
        """Whether it did what it was to do."""
        return self.reason == "exited" and self.exit_code == 0


@dataclass(frozen=True)
class NodeOutcome:
    """What became of a job on one node: its processes, or that the node was lost or failed."""

    processes: list[ProcessOutcome] = field(default_factory=list)
    is_lost: bool = False
    failure: str | None = None

    @property
    def is_good(self) -> bool:
        """Whether all its processes did what they were to do."""
        return (
            not self.is_lost
            and self.failure is None
            and all(process.is_good for process in self.processes)
        )


@dataclass(frozen=True)
class NodeState:
    """A node of a cluster: "preparing", "running", "idle" or "leaving", and its run."""

    node_id: str
    state: str
    run_id: str | None
