"""The data of a job: datasets downloaded or mounted before the script, outputs uploaded after.

The SDK of the job's own environment moves the data, because its data engine knows every kind of
dataset.
"""

from __future__ import annotations

import contextlib
import fcntl
import fnmatch
import hashlib
import io
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_FUSE = "/dev/fuse"


class DataError(Exception):
    """An input that could not be fetched or an output that could not be delivered, and why."""


@contextlib.contextmanager
def inputs_in_place(inputs: list[dict[str, Any]]) -> Iterator[None]:
    """Have the datasets of `inputs` below their paths, mounted ones until the end.

    Each has `name`, `dataset` (id), `mechanism` ("download" or "mount"), `path`, `given` when that
    is the path_on_compute, and `shared` when other processes of the job use it, too. Raises
    DataError.
    """
    with contextlib.ExitStack() as stack:
        for document in inputs:
            with _explained(f"The input '{document['name']}' cannot be read"):
                _put_in_place(document, stack)
        yield


def prepare_outputs(outputs: list[dict[str, Any]]) -> None:
    """Make the folders that the script writes its outputs into. Raises DataError."""
    for document in outputs:
        with _explained(f"There is no folder for the output '{document['name']}'"):
            os.makedirs(document["path"], exist_ok=True)


def deliver_outputs(outputs: list[dict[str, Any]], *, succeeded: bool) -> None:
    """Upload what the script wrote, and register it where that is asked for.

    Each has `name`, `path`, `mechanism` ("mount" or "upload"), `datastore` (None for the default
    one), `relative_path` in it, `overwrite`, `globs`, `registration` and `is_first` (of the job's
    processes). As on Azure a mounted output has what was written before a script failed, one to be
    uploaded nothing, and neither is registered. Raises DataError.
    """
    for document in outputs:
        if not succeeded and document["mechanism"] != "mount":
            continue
        with _explained(f"The output '{document['name']}' could not be delivered"):
            _upload(document)
            if succeeded and document["is_first"]:
                _register(document)


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except ImportError as error:
        raise DataError(
            f"{what}: the job's environment has no '{error.name}'. Add the package "
            "azureml-defaults to it, or azureml-core and azureml-dataset-runtime."
        ) from error
    except Exception as error:
        # Anything the SDK raises: the job ends with it either way, and its text says why.
        raise DataError(f"{what}: {error}") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The log of the job is for what its script prints: the data engine prints its options."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def _workspace() -> Any:
    from azureml.core import Run

    return Run.get_context(allow_offline=False).experiment.workspace


# Inputs


def _put_in_place(document: dict[str, Any], stack: contextlib.ExitStack) -> None:
    # The SDK's public functions would note another use of the dataset, as if the script made it.
    from azureml.data._dataset import _Dataset

    path = os.path.abspath(document["path"])
    with _quiet():
        dataset = _Dataset._get_by_id(_workspace(), document["dataset"])
    if not hasattr(dataset, "download"):
        raise DataError(
            f"The input '{document['name']}' is a tabular dataset. Only a file dataset can be "
            "downloaded or mounted: pass the tabular one with as_named_input() alone."
        )
    if document["given"] and not document["shared"]:
        _refuse_a_users_folder(path)
    if document["mechanism"] == "mount" and _is_mounted(document, dataset, path, stack):
        return
    with _once_for_all(path) if document["shared"] else contextlib.nullcontext(True) as is_first:
        if is_first:
            if document["given"]:
                _refuse_a_users_folder(path)
                _note_of("downloaded", path).touch()
            with _quiet():
                # A node on Azure starts empty: what an earlier job left here is replaced.
                dataset.download(target_path=path, overwrite=True)


def _refuse_a_users_folder(path: str) -> None:
    """A path_on_compute is on the user's own machine here: nothing but jobs' files is replaced.

    Raises DataError for a file, and for a folder with files that no job has downloaded. In the
    working folder of the run everything is a copy of the user's.
    """
    if os.path.commonpath([os.getcwd(), path]) == os.getcwd():
        return
    is_free = not os.path.exists(path) or (os.path.isdir(path) and not os.listdir(path))
    if not is_free and not _note_of("downloaded", path).exists():
        raise DataError(
            f"The path_on_compute '{path}' has files on this machine that do not come from a job, "
            "and they are not overwritten. Name a new or empty folder, or a relative one."
        )


def _note_of(kind: str, path: str) -> Path:
    """A file in which jobs tell each other about `path`, beside the SDK's own files."""
    folder = Path.home() / ".azureml" / "job-inputs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{kind}-{hashlib.sha256(path.encode()).hexdigest()[:24]}"


def _is_mounted(
    document: dict[str, Any], dataset: Any, path: str, stack: contextlib.ExitStack
) -> bool:
    """Mount if that is possible on this machine; if not, say so and return False."""
    reason = _no_mount(document)
    if not reason:
        try:
            with _quiet():
                stack.enter_context(_mounted(dataset, path))
            return True
        except Exception as error:
            # Whatever it is that this machine lacks, a download gives the script the same files.
            reason = " ".join(str(error).split())[:300]
    print(
        f"The input '{document['name']}' is downloaded instead of mounted: {reason}",
        flush=True,
    )
    return False


def _no_mount(document: dict[str, Any]) -> str:
    """Why nothing can be mounted here; empty when it can be tried."""
    if not os.path.exists(_FUSE):
        return f"this machine has no {_FUSE}."
    if not os.access(_FUSE, os.R_OK | os.W_OK):
        return f"this user may not open {_FUSE}."
    if document["shared"]:
        return "several processes of the job share its path_on_compute."
    return ""


@contextlib.contextmanager
def _mounted(dataset: Any, path: str) -> Iterator[None]:
    """Mount `dataset`; see `unmounting` for a process that is killed meanwhile."""
    os.makedirs(path, exist_ok=True)
    mount = dataset.mount(path)
    mount.start()
    try:
        if not os.path.ismount(path):
            raise DataError("the data engine mounted nothing.")
        yield
    finally:
        mount.stop()


def unmounting(paths: list[str]) -> Callable[[], None]:
    """What unmounts those of `paths` that have become mounts since, and still are.

    For another process than that which serves the mounted file systems, when that has ended.
    """
    ours = [path for path in map(os.path.realpath, paths) if not _is_in_mount_table(path)]

    def unmount() -> None:
        for path in filter(_is_in_mount_table, ours):
            for command in (["fusermount3", "-uz"], ["fusermount", "-uz"], ["umount", "-l"]):
                if shutil.which(command[0]) and subprocess.call([*command, path]) == 0:
                    break

    return unmount


def _is_in_mount_table(path: str) -> bool:
    # Not os.path.ismount: it fails for a file system that nobody serves any more.
    try:
        table = Path("/proc/self/mounts").read_text(encoding="utf-8")
    except OSError:
        return True
    escaped = path.replace("\\", "\\134").replace(" ", "\\040")
    return any(line.split(" ")[1] == escaped for line in table.splitlines())


@contextlib.contextmanager
def _once_for_all(path: str) -> Iterator[bool]:
    """Among the processes of this attempt that want `path`, give True to one and let others wait.

    False means that another one has been here before.
    """
    attempt = f"{os.environ['AZUREML_RUN_ID']} {os.environ['AZUREML_RUN_ATTEMPT']}"
    with open(_note_of("shared", path), "a+", encoding="utf-8") as note:
        fcntl.flock(note, fcntl.LOCK_EX)
        note.seek(0)
        is_first = note.read() != attempt
        yield is_first
        note.truncate(0)
        note.write(attempt)


# Outputs


def _upload(document: dict[str, Any]) -> None:
    from azureml.core import Dataset

    source = os.path.abspath(document["path"])
    with contextlib.ExitStack() as stack:
        if document["globs"]:
            source = stack.enter_context(_only(source, document["globs"]))
        if not any(files for _, _, files in os.walk(source)):
            print(f"The output '{document['name']}' is empty: nothing was written to it.")
            return
        with _quiet():
            if not document["overwrite"] and os.environ["AZUREML_RUN_ATTEMPT"] == "1":
                _refuse_to_overwrite(document, source)
            Dataset.File.upload_directory(
                source, _destination(document), overwrite=document["overwrite"], show_progress=False
            )


def _refuse_to_overwrite(document: dict[str, Any], source: str) -> None:
    """Raise DataError for files that are at the destination already: the SDK would skip them."""
    from azureml.core import Dataset

    datastore, folder = _destination(document)
    try:
        present = Dataset.File.from_files((datastore, f"{folder}/**"), validate=False).to_path()
    except Exception as error:
        if "NotFound" not in str(error):
            raise
        return
    there = sorted(
        name
        for name in (path.strip("/") for path in present)
        if os.path.isfile(os.path.join(source, name))
    )
    if there:
        raise DataError(
            f"The output '{document['name']}' could not be delivered: {folder}/{there[0]} exists "
            f"in the datastore '{datastore.name}' already ({len(there)} such files). "
            "as_upload(overwrite=True) replaces them; a destination with {run-id} is always new."
        )


def _destination(document: dict[str, Any]) -> tuple[Any, str]:
    from azureml.core import Datastore

    workspace = _workspace()
    name = document["datastore"]
    datastore = Datastore.get(workspace, name) if name else workspace.get_default_datastore()
    return datastore, document["relative_path"]


@contextlib.contextmanager
def _only(source: str, globs: list[str]) -> Iterator[str]:
    """A folder with those files of `source` that match one of `globs`."""
    with tempfile.TemporaryDirectory(prefix="azureml-output-") as chosen:
        for folder, _, names in os.walk(source):
            for name in names:
                path = os.path.join(folder, name)
                relative = os.path.relpath(path, source)
                if any(fnmatch.fnmatch(text, glob) for text in (path, relative) for glob in globs):
                    target = os.path.join(chosen, relative)
                    os.makedirs(os.path.dirname(target), exist_ok=True)
                    shutil.copyfile(path, target)
        yield chosen


def _register(document: dict[str, Any]) -> None:
    """Make the dataset of an output and note it as an output of the run.

    Raises what the SDK raises, above all for a name that no dataset can have.
    """
    from azureml.core import Dataset, Run

    registration = document["registration"]
    run = Run.get_context(allow_offline=False)
    workspace = run.experiment.workspace
    with _quiet():
        dataset = Dataset.File.from_files(_destination(document), validate=False)
        if registration["transformation"]:
            dataset = _transformed(dataset, registration["transformation"])
        if registration["name"]:
            dataset = dataset._register(
                workspace,
                registration["name"],
                registration["description"],
                registration["tags"],
                create_new_version=True,
            )
        else:
            dataset._ensure_saved_internal(workspace)
        _note_lineage(run, document, dataset)


def _transformed(dataset: Any, transformation: str) -> Any:
    """`dataset` read as `OutputFileDatasetConfig.read_delimited_files` and its like say.

    The SDK has no public way to put two data flows one behind the other: this is how its own code
    for jobs does it.
    """
    from azureml.data import FileDataset, TabularDataset
    from azureml.data._dataprep_helper import _convert_dataflow_stub_to_engineless, dataprep_stub

    steps = dataprep_stub().DataflowStub.from_json(transformation)
    combined = dataset._dataflow + _convert_dataflow_stub_to_engineless(steps)
    kind = TabularDataset if dataprep_stub().is_tabular(steps) else FileDataset
    return kind._create(combined)


def _note_lineage(run: Any, document: dict[str, Any], dataset: Any) -> None:
    from azureml._restclient.models import (
        DatasetIdentifier,
        DatasetOutputDetails,
        DatasetOutputMechanism,
        DatasetOutputType,
        OutputDatasetLineage,
    )

    registered = dataset._registration and dataset._registration.registered_id
    run._update_output_dataset_lineage(
        [
            OutputDatasetLineage(
                DatasetIdentifier(dataset.id, registered, dataset.version),
                DatasetOutputType.run_output,
                DatasetOutputDetails(
                    document["name"], DatasetOutputMechanism(document["mechanism"].capitalize())
                ),
            )
        ]
    )
