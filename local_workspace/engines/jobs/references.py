"""The data references of a job: its part of a datastore as files, and what it wrote back again.

The server moves the data, so that a job has them whatever is in its environment. A mount is a
folder, too: of what a script leaves there, new and changed files go to the datastore at its end.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local_workspace.engines.jobs.blob_files import blobs_at, copy_blob, is_same
from local_workspace.engines.jobs.folders import attempt_folder, job_folder, working_folder
from local_workspace.errors import BadRequest, ServiceError, StorageFull
from local_workspace.services import datastore
from local_workspace.services.execution import Job, JobReference
from local_workspace.store.blobs import BlobProperties
from local_workspace.whole_files import write_whole
from local_workspace.workspace import LocalWorkspace

_FILES_AT_ONCE = 8
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

Stop = Callable[[], bool]
Say = Callable[[str], None]


class Stopped(Exception):
    """The job, or the server, ends before all is moved."""


def describe_references(
    workspace: LocalWorkspace, job: Job, attempt: int, node: int
) -> dict[str, str]:
    """The environment variables that tell a process on `node` where its references are."""
    return {
        f"AZUREML_DATAREFERENCE_{one.name}": str(_path_of(workspace, job, attempt, node, one))
        for one in job.references
    }


def place_references(
    workspace: LocalWorkspace, job: Job, attempt: int, stop: Stop, say: Say
) -> None:
    """Have the data of a job's references where it expects them, before it starts.

    `say` is told what was not replaced. Raises ServiceError for what cannot be read or written,
    Stopped when `stop` says so.
    """
    notes = _Notes(job_folder(workspace, job.run_id) / "references.json")
    for one in job.references:
        with _explained(one, "cannot be made available"):
            for path in _paths_of(workspace, job, attempt, one):
                if one.mode == "output":
                    path.parent.mkdir(parents=True, exist_ok=True)
                elif one.mode == "upload":
                    _make_room(path)
                else:
                    _fill(workspace, job, one, path, notes, stop, say)
    notes.write()


def deliver_references(
    workspace: LocalWorkspace, job: Job, attempt: int, stop: Stop, say: Say, *, succeeded: bool
) -> None:
    """Write what a job has made to its datastores, after it has ended.

    What is to be uploaded goes there when the job `succeeded`; what changed in a mounted folder
    always, as it would have in a real mount. Raises ServiceError, and Stopped when `stop` says so.
    """
    notes = _Notes(job_folder(workspace, job.run_id) / "references.json")
    for one in job.references:
        with _explained(one, "could not be written to its datastore"):
            for path in _paths_of(workspace, job, attempt, one):
                if one.mode == "mount":
                    changed = [file for file in _files_of(path) if notes.has_changed(file)]
                    _put(workspace, one, path, changed, stop, say, overwrite=True)
                elif one.mode in ("upload", "output") and succeeded:
                    files = list(_files_of(path))
                    if not files:
                        say(f"The data reference '{one.name}' uploads nothing: {path} is empty.")
                    _put(workspace, one, path, files, stop, say, overwrite=one.overwrite)
    for path in notes.mounted:
        # As after a real mount, the folder of the user's machine is as it was.
        _empty(Path(path))


# Where they are


def _path_of(
    workspace: LocalWorkspace, job: Job, attempt: int, node: int, one: JobReference
) -> Path:
    """Where a process on `node` finds a reference.

    As on Azure the path in the datastore goes on below a path_on_compute; that of an upload names
    the file or folder itself.
    """
    if one.path_on_compute:
        base = working_folder(workspace, job, attempt, node) / one.path_on_compute
    elif job.is_local:
        # A local run that runs again has its files already.
        base = job_folder(workspace, job.run_id) / "references" / one.name
    else:
        base = attempt_folder(workspace, job, attempt) / "references" / one.name
    is_itself = one.mode in ("upload", "output")
    return Path(os.path.normpath(base if is_itself else base / one.path))


def _paths_of(workspace: LocalWorkspace, job: Job, attempt: int, one: JobReference) -> list[Path]:
    """All places of a reference: one, unless its nodes have different ones."""
    nodes = range(job.layout.nodes)
    paths = (_path_of(workspace, job, attempt, node, one) for node in nodes)
    return list(dict.fromkeys(paths))


def _is_of_the_user(workspace: LocalWorkspace, job: Job, path: Path) -> bool:
    """Whether a path lies outside of all that was made for this job."""
    made = [job_folder(workspace, job.run_id), working_folder(workspace, job, 0)]
    return not any(path.is_relative_to(folder) for folder in made)


# In


def _fill(
    workspace: LocalWorkspace,
    job: Job,
    one: JobReference,
    path: Path,
    notes: _Notes,
    stop: Stop,
    say: Say,
) -> None:
    with workspace.database.read() as session:
        location = datastore.blob_location(workspace, session, one.datastore)
    blobs = blobs_at(workspace.blobs, location, one.path)
    if not blobs and one.mode == "download":
        raise BadRequest(
            f"the datastore '{location.datastore}' has nothing at '{one.path}'. Check "
            "path_on_datastore."
        )
    overwrite = one.overwrite or not one.path_on_compute
    if one.mode == "mount":
        overwrite = True
        if _is_of_the_user(workspace, job, path):
            _take(path, notes)
    kept: list[str] = []

    def place(blob: BlobProperties) -> None:
        if stop():
            raise Stopped
        relative = blob.name[len(one.path) :].strip("/")
        target = path / relative if relative else path
        if not overwrite and target.exists():
            if not is_same(workspace.blobs, location, blob, target):
                kept.append(str(target))
            return
        copy_blob(workspace.blobs, location, blob, target)

    if not blobs or any(blob.name != one.path for blob in blobs):
        path.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        list(pool.map(place, blobs))
    if one.mode == "mount":
        notes.note(_files_of(path))
    if kept:
        say(
            f"The data reference '{one.name}' has overwrite=False: {len(kept)} files that were "
            f"there already are kept, such as {min(kept)}."
        )


def _take(path: Path, notes: _Notes) -> None:
    """Use a folder of the user's machine as a mount point: one that is empty, or ours already."""
    if str(path) in notes.mounted:
        _empty(path)
    elif path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise BadRequest(
            f"the path_on_compute '{path}' has files on this machine. Name a new or empty folder, "
            "or a relative one; or download the data."
        )
    notes.mounted.append(str(path))
    notes.write()


def _empty(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
        path.mkdir()
    else:
        path.unlink(missing_ok=True)


def _make_room(path: Path) -> None:
    """Make the folder of an upload; of a name that looks like a file's, the one around it."""
    folder = path.parent if path.suffix else path
    folder.mkdir(parents=True, exist_ok=True)


# Out


def _put(
    workspace: LocalWorkspace,
    one: JobReference,
    path: Path,
    files: list[Path],
    stop: Stop,
    say: Say,
    *,
    overwrite: bool,
) -> None:
    """Write `files`, which are `path` or below it, to the datastore."""
    if not files:
        return
    with workspace.database.read() as session:
        location = datastore.blob_location(workspace, session, one.datastore, to_write=True)
    store, place = workspace.blobs, (location.account, location.container)
    kept: list[str] = []

    def put(file: Path) -> None:
        if stop():
            raise Stopped
        if file != path:
            relative = file.relative_to(path).as_posix()
        else:
            # A single file: an upload names a folder of the datastore for it.
            relative = file.name if one.mode == "upload" else ""
        name = "/".join(part for part in (one.path, relative) if part)
        if not overwrite and store.exists(*place, name):
            if not is_same(store, location, store.properties(*place, name), file):
                kept.append(name)
            return
        store.put_file(*place, name, file)

    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        list(pool.map(put, files))
    if kept:
        say(
            f"The data reference '{one.name}' has overwrite=False: {len(kept)} files that the "
            f"datastore '{location.datastore}' had already are kept there, such as {min(kept)}."
        )


def _files_of(path: Path) -> Iterator[Path]:
    """The file `path`, or the files below it."""
    if path.is_file():
        yield path
    for base, _, names in os.walk(path):
        for name in sorted(names):
            file = Path(base) / name
            if file.is_file():
                yield file


@contextmanager
def _explained(one: JobReference, what: str) -> Iterator[None]:
    """Errors name the reference; a full disk stays one, because that can be tried again."""
    try:
        yield
    except ServiceError as error:
        if error.code == StorageFull.code:
            raise
        reason = error.message
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise
        reason = f"{error.strerror or error}: {error.filename}"
    else:
        return
    raise BadRequest(f"The data reference '{one.name}' {what}: {reason}")


@dataclass
class _Notes:
    """What is known of the files of references until their job has ended, kept on disk.

    Attributes:
        mounted: folders outside those of the job that stand for a mount.
        files: what was put into mounted folders: size, time and number of each file.
    """

    source: Path

    def __post_init__(self) -> None:
        try:
            found = json.loads(self.source.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            found = {"mounted": [], "files": {}}
        self.mounted: list[str] = found["mounted"]
        self.files: dict[str, list[int]] = found["files"]

    def write(self) -> None:
        document = {"mounted": list(dict.fromkeys(self.mounted)), "files": self.files}
        write_whole(self.source, json.dumps(document))

    def note(self, files: Iterator[Path]) -> None:
        self.files.update((str(file), _state_of(file)) for file in files)

    def has_changed(self, file: Path) -> bool:
        return self.files.get(str(file)) != _state_of(file)


def _state_of(file: Path) -> list[int]:
    there = file.stat()
    return [there.st_size, there.st_mtime_ns, there.st_ino]
