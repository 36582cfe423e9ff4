"""A job: what a run configuration that was accepted asks for, in types.

It is made once, where a run is submitted, kept with the run in the queue, and never changes. What
executes jobs reads this and nothing of the SDK's own document.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import TypeAdapter


@dataclass(frozen=True)
class Layout:
    """`per_node` processes on each of `nodes` nodes; their ranks run through node by node.

    `parameter_servers` of the nodes, the last ones, are those of TensorFlow.
    """

    nodes: int = 1
    per_node: int = 1
    communicator: str = "none"
    parameter_servers: int = 0

    @property
    def processes(self) -> int:
        """How many processes there are altogether."""
        return self.nodes * self.per_node

    def node_of(self, rank: int) -> int:
        """The node of a process."""
        return rank // self.per_node

    def ranks_of(self, node: int) -> range:
        """The processes of a node."""
        return range(node * self.per_node, (node + 1) * self.per_node)

    def log_name(self, rank: int) -> str:
        """The log of a process, named as on Azure."""
        if self.processes == 1:
            return "std_log.txt"
        return f"std_log_process_{rank:0{len(str(self.processes - 1))}d}.txt"


@dataclass(frozen=True)
class JobEnvironment:
    """The environment of a job: a definition (the document of `Environment`), or the name of one
    that is registered, with a version or None for the latest."""

    definition: dict[str, Any] | None = None
    name: str | None = None
    version: str | None = None
    uses_docker: bool = False


@dataclass(frozen=True)
class JobInput:
    """A saved dataset that a job reads; `variable` is the environment variable that tells it."""

    name: str
    dataset_id: str
    mechanism: Literal["direct", "download", "mount"]
    variable: str
    path_on_compute: str | None = None


@dataclass(frozen=True)
class Registration:
    """How an output becomes a dataset; `transformation` makes it tabular (the SDK's own text)."""

    name: str | None = None
    description: str | None = None
    tags: dict[str, str] | None = None
    transformation: str | None = None


@dataclass(frozen=True)
class JobOutput:
    """A folder that a job writes, and where in a datastore (None: the default one) it goes."""

    name: str
    mechanism: Literal["mount", "upload"]
    relative_path: str
    datastore: str | None = None
    path_on_compute: str | None = None
    overwrites: bool = True
    globs: tuple[str, ...] | None = None
    registration: Registration = field(default_factory=Registration)


@dataclass(frozen=True)
class JobReference:
    """A path in a datastore (a DataReference of the SDK) that a job reads or writes as files.

    Attributes:
        mode: "output" is a path that does not exist before; the job makes a file or a folder of
            it, which goes to `path` when the job has succeeded.
        path: in the datastore, without slashes around it; empty for all of it.
        path_on_compute: as it was given, relative to the working folder unless absolute.
        overwrite: whether files that are at the destination already are replaced.
    """

    name: str
    mode: Literal["mount", "download", "upload", "output"]
    datastore: str
    path: str = ""
    path_on_compute: str | None = None
    overwrite: bool = False


@dataclass(frozen=True)
class Job:
    """A submitted run as it is executed.

    Attributes:
        kind: "cluster", or "local" for compute_target='local'.
        compute: the key of the compute target; None for a local run.
        script: a Python script with `arguments`; None when there is a `command` for the shell.
        variables: environment variables, those of the run before those of the environment.
        references: paths in datastores that are made available as files.
        watched_folders: folders of the run that become artifacts besides outputs and logs.
        collects_outputs: whether what it leaves in its folders becomes artifacts at all.
        max_seconds: how long the run may run altogether; None without a limit.
    """

    run_id: str
    experiment_name: str
    kind: Literal["cluster", "local"]
    compute: str | None = None
    snapshot_id: str | None = None
    script: str | None = None
    command: str | None = None
    arguments: tuple[str, ...] = ()
    layout: Layout = Layout()
    environment: JobEnvironment = JobEnvironment()
    variables: dict[str, str] = field(default_factory=dict)
    inputs: tuple[JobInput, ...] = ()
    outputs: tuple[JobOutput, ...] = ()
    references: tuple[JobReference, ...] = ()
    watched_folders: tuple[str, ...] = ()
    collects_outputs: bool = True
    max_seconds: int | None = None

    @property
    def is_local(self) -> bool:
        """Whether it runs where the SDK put its files, on no node of a cluster."""
        return self.kind == "local"

    def document(self) -> dict[str, Any]:
        """The job as JSON values, for `read_job`."""
        return _JOB.dump_python(self, mode="json")


_JOB = TypeAdapter(Job)


def read_job(document: dict[str, Any]) -> Job:
    """The job that `Job.document` wrote down."""
    return _JOB.validate_python(document)
