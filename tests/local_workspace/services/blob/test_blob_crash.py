"""Blobs after the worst: processes killed at every step, full disks, and the next start."""

import base64
import itertools
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from blob_process import server_process
from blob_server import ACCOUNTS, MIB
from execution_helpers import wait_until

from local_workspace.services.blob import BlobService, sign_sas
from local_workspace.store.blobs import BlobError, blocks, on_disk
from local_workspace.store.blobs.properties import new_properties

OLD, NEW = b"old" * 50_000, b"newer" * 50_000


def files_below(folder):
    return [os.path.join(path, name) for path, _, names in os.walk(folder) for name in names]


def folders_below(folder):
    return [os.path.join(path, name) for path, names, _ in os.walk(folder) for name in names]


def empty(store):
    store.delete_container("first", "data")
    store.create_container("first", "data")


def start_service(store):
    """What happens first when a server starts."""
    return BlobService(store, lambda: ACCOUNTS)


def stage(store, name, block_id=b"001", data=b"block"):
    file = store.new_file()
    file.write(data)
    store.stage_block("first", "data", name, base64.b64encode(block_id).decode(), file)


def age_blocks(store, name, seconds):
    then = time.time() - seconds
    folder = store.layout.blocks_of("first", "data", name)
    for path in [*files_below(folder), folder]:
        os.utime(path, (then, then))


# Whatever changes a file or sees it safe on the disk
_STEPS = ["replace", "rename", "mkdir", "unlink", "rmdir", "fsync", "utime"]
_STEPS += ["write", "ftruncate", "copy_file_range"]


def die_at(fatal, operation):
    """Run `operation` in a process that dies right before its `fatal`-th step.

    Returns False when it was done before that.
    """
    child = os.fork()
    if child == 0:
        steps = itertools.count(1)

        def deadly(function):
            def call(*arguments, **options):
                if next(steps) == fatal:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*arguments, **options)

            return call

        for name in _STEPS:
            if hasattr(os, name):
                setattr(os, name, deadly(getattr(os, name)))
        # Another process has other marks on its temporary files.
        on_disk._PROCESS = f"dead{fatal}"
        try:
            operation()
        except BaseException:
            os._exit(1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL)
    return status != 0


def content(store, name):
    with store.open("first", "data", name) as file:
        return file.read()


def version_of(store):
    """Which version the blob is, after checking that all of it is that version; None without."""
    names = [blob.name for blob in store.list("first", "data").blobs]
    assert [name for name in names if name not in ("folder/blob", "folder/log")] == []
    if "folder/blob" not in names:
        assert not store.exists("first", "data", "folder/blob")
        return None
    properties = store.properties("first", "data", "folder/blob")
    version = properties.metadata["version"]
    expected = {"old": OLD, "new": NEW}[version]
    assert content(store, "folder/blob") == expected
    assert properties.size == len(expected)
    return version


@pytest.mark.parametrize("operation", ["write", "commit"])
@pytest.mark.parametrize("before", ["old", None])
def test_a_writer_killed_at_any_step_leaves_the_old_blob_or_the_new_one(store, operation, before):
    def write():
        store.put_bytes("first", "data", "folder/blob", NEW, metadata={"version": "new"})

    def commit():
        properties = new_properties("folder/blob", metadata={"version": "new"})
        store.commit_blocks("first", "data", [("Latest", "MDAx")], properties)

    seen = []
    for fatal in itertools.count(1):
        empty(store)
        if before:
            store.put_bytes("first", "data", "folder/blob", OLD, metadata={"version": "old"})
        if operation == "commit":
            stage(store, "folder/blob", data=NEW)
        killed = die_at(fatal, write if operation == "write" else commit)
        seen.append(version_of(store))
        start_service(store)
        assert files_below(store.layout.temporary) == []
        assert version_of(store) == seen[-1]
        if not killed:
            break
    # The change happens at one step, and never goes back.
    assert seen == sorted(seen, key=lambda version: version == "new")
    assert set(seen) == {before, "new"}
    assert len(seen) > 5


def test_a_writer_killed_while_it_appends_leaves_whole_blocks(store):
    for fatal in itertools.count(1):
        empty(store)
        store.append("first", "data", "folder/log", b"first\n")
        killed = die_at(fatal, lambda: store.append("first", "data", "folder/log", b"second\n"))
        whole = (b"first\n", b"first\nsecond\n") if killed else (b"first\nsecond\n",)
        found = content(store, "folder/log")
        assert found in whole
        store.append("first", "data", "folder/log", b"third\n")
        assert content(store, "folder/log") == found + b"third\n"
        if not killed:
            break
    assert fatal > 3


def test_a_killed_deletion_deletes_or_leaves_all(store):
    seen = []
    for fatal in itertools.count(1):
        empty(store)
        store.put_bytes("first", "data", "folder/blob", OLD, metadata={"version": "old"})
        killed = die_at(fatal, lambda: store.delete("first", "data", "folder/blob"))
        seen.append(version_of(store))
        # What comes after it has nothing of what was.
        store.put_bytes("first", "data", "folder/blob", NEW, metadata={"version": "new"})
        assert version_of(store) == "new"
        if not killed:
            break
    assert seen == sorted(seen, key=lambda version: version is None)
    assert set(seen) == {"old", None}


def test_a_server_killed_in_the_middle_of_an_upload(tmp_path):
    with server_process(tmp_path) as (server, process):
        container = server.client().create_container("data")
        container.upload_blob("blob", OLD)
        sas = sign_sas("first", ACCOUNTS["first"], "data", permissions="cw")
        head = (
            f"PUT /data/blob?{sas} HTTP/1.1\r\nHost: localhost\r\nx-ms-blob-type: BlockBlob\r\n"
            f"Content-Length: {16 * MIB}\r\n\r\n"
        )
        context = ssl.create_default_context(cafile=server.ca_file)
        with (
            socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            connection.sendall(head.encode() + b"x" * (8 * MIB))
            wait_until(lambda: files_below(server.store.layout.temporary))
            process.kill()
            process.wait()
        assert files_below(server.store.layout.temporary) != []
    with server_process(tmp_path) as (server, _):
        container = server.client().get_container_client("data")
        assert [(blob.name, blob.size) for blob in container.list_blobs()] == [("blob", len(OLD))]
        assert container.download_blob("blob").readall() == OLD
        assert files_below(server.store.layout.temporary) == []


def test_blocks_from_before_a_restart_can_be_committed_for_a_while(tmp_path):
    with server_process(tmp_path) as (server, _):
        blob = server.client().create_container("data").get_blob_client("blob")
        for block in ("001", "002"):
            blob.stage_block(block, block.encode())
        server.client().get_blob_client("data", "forgotten").stage_block("001", b"left")
    age_blocks(server.store, "forgotten", 2 * blocks.ORPHANS_KEPT_SECONDS)
    with server_process(tmp_path) as (server, _):
        blob = server.client().get_blob_client("data", "blob")
        blob.commit_block_list(["001", "002"])
        assert blob.download_blob().readall() == b"001002"
        with pytest.raises(ResourceNotFoundError):
            server.client().get_blob_client("data", "forgotten").get_block_list("all")
        assert files_below(server.store.layout.blocks) == []


def test_blocks_of_this_process_wait_for_a_week(store, monkeypatch):
    monkeypatch.setattr("local_workspace.store.blobs.on_disk._STARTED", 0)
    for name, days in (("young", 6), ("old", 8)):
        stage(store, name)
        age_blocks(store, name, days * 24 * 3600)
    store.sweep()
    assert len(files_below(store.layout.blocks)) == 1
    assert store.block_lists("first", "data", "young")[1] == {"MDAx": 5}


def test_a_sweep_keeps_what_is_being_written(store, monkeypatch):
    with open(store.layout.new_temporary(), "w"):  # properties are written without a lock
        store.sweep()
        assert len(files_below(store.layout.temporary)) == 1
        os.unlink(*files_below(store.layout.temporary))
    monkeypatch.setattr(on_disk, "_PROCESS", "another")
    with store.new_file() as elsewhere:
        monkeypatch.undo()
        store.sweep()
        assert elsewhere.path in files_below(store.layout.temporary)
        os.rename(elsewhere.path, elsewhere.path + "-dead")
    half_deleted = Path(store.layout.temporary, "container-of-a-dead-process")
    half_deleted.mkdir()
    (half_deleted / "blob").write_bytes(b"x")
    start_service(store)
    assert os.listdir(store.layout.temporary) == []


def test_data_are_safe_on_the_disk_before_they_get_their_name(store, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace

    def record_fsync(descriptor):
        events.append(("fsync", os.fstat(descriptor).st_ino))
        fsync(descriptor)

    def record_replace(source, target):
        events.append(("replace", os.stat(source).st_ino))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(os, "replace", record_replace)
    store.put_bytes("first", "data", "folder/blob", b"x")
    data = store.path_of("first", "data", "folder/blob")
    record = Path(store.layout.properties("first", "data", "folder/blob"))
    for path in (record, data):
        step = events.index(("replace", path.stat().st_ino))
        assert ("fsync", path.stat().st_ino) in events[:step]
        assert ("fsync", path.parent.stat().st_ino) in events[step:]
    store.append("first", "data", "log", b"x")
    events.clear()
    store.append("first", "data", "log", b"y")
    log = store.path_of("first", "data", "log")
    record = Path(store.layout.properties("first", "data", "log"))
    step = events.index(("replace", record.stat().st_ino))
    assert ("fsync", log.stat().st_ino) in events[:step]
    events.clear()
    store.delete("first", "data", "log")
    assert events == [("fsync", log.parent.stat().st_ino)]


def test_an_append_that_fails_half_way_leaves_the_file_as_it_was(store, monkeypatch):
    store.append("first", "data", "log", b"first\n")
    path = store.path_of("first", "data", "log")

    def half(descriptor, data):
        os.write(descriptor, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("local_workspace.store.blobs.store.write_all", half)
    with pytest.raises(BlobError) as caught:
        store.append("first", "data", "log", b"second\n")
    assert caught.value.status == 413
    assert path.read_bytes() == b"first\n"


@pytest.mark.parametrize(
    ("where", "fails"),
    [
        (os, "mkdir"),
        (os, "replace"),
        (os, "fsync"),
        (os, "utime"),
        (on_disk.TemporaryFile, "publish"),
    ],
)
def test_a_write_that_fails_leaves_nothing_behind(store, monkeypatch, where, fails):
    store.put_bytes("first", "data", "folder", b"a blob named like a folder")
    before = files_below(store.layout.root)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(where, fails, full)
        with pytest.raises(BlobError) as caught:
            store.put_bytes("first", "data", "folder/deep/er/blob", b"x")
    assert (caught.value.status, caught.value.code) == (413, "InsufficientStorage")
    assert [blob.name for blob in store.list("first", "data").blobs] == ["folder"]
    assert content(store, "folder") == b"a blob named like a folder"
    # What was moved out of the way for the new folder has another mark.
    assert len(files_below(store.layout.root)) == len(before)
    assert folders_below(store.layout.container("first", "data")) == []
    assert folders_below(store.layout.properties_of_container("first", "data")) == []


def test_a_name_that_the_file_system_cannot_tell_apart_harms_nobody(store, monkeypatch):
    """As on a Mac, where the files of `Blob` are those of `blob`."""
    store.put_bytes("first", "data", "blob", b"x", metadata={"key": "value"})
    layout = store.layout
    plain = {name: getattr(layout, name) for name in ("properties", "find", "place")}
    for name, function in plain.items():
        monkeypatch.setattr(layout, name, lambda a, c, n, do=function: do(a, c, n.lower()))
    with pytest.raises(BlobError) as caught:
        store.put_bytes("first", "data", "Blob", b"y")
    assert (caught.value.status, caught.value.code) == (409, "LocalFileConflict")
    assert not store.exists("first", "data", "Blob")
    assert store.properties("first", "data", "blob").metadata == {"key": "value"}
    assert content(store, "blob") == b"x"


def test_an_append_that_cannot_be_made_safe_is_whole(store, monkeypatch):
    store.append("first", "data", "log", b"first\n")

    def failing(*_):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("local_workspace.store.blobs.tree.sync_folders", failing)
        with pytest.raises(BlobError):
            store.append("first", "data", "log", b"second\n")
    found = store.properties("first", "data", "log")
    assert (found.blob_type, found.size) == ("AppendBlob", len(content(store, "log")))


def test_a_file_larger_than_the_system_allows(tmp_path):
    with server_process(tmp_path, largest_file=2 * MIB) as (server, _):
        container = server.client().create_container("data")
        container.upload_blob("blob", OLD)
        with pytest.raises(HttpResponseError) as caught:
            container.upload_blob("blob", b"x" * (4 * MIB), overwrite=True)
        assert caught.value.status_code == 413
        assert container.download_blob("blob").readall() == OLD
        assert files_below(server.store.layout.temporary) == []


def test_a_disk_that_is_really_full(tmp_path):
    blobs = tmp_path / "blobs"
    blobs.mkdir()
    mount = f"mount -t tmpfs -o size=6m tmpfs '{blobs}'"
    namespace = ("unshare", "--map-root-user", "--mount", "sh", "-c")
    if not shutil.which("unshare") or subprocess.run([*namespace, mount]).returncode:
        pytest.skip("this system does not let a test mount a small disk")
    within = (*namespace, f'{mount} && exec "$@"', "sh")
    with server_process(tmp_path, within=within) as (server, _):
        client = server.client(max_single_put_size=MIB, max_block_size=MIB)
        container = client.create_container("data")
        container.upload_blob("blob", OLD)
        for data in (b"x" * (8 * MIB), b"x" * (4 * MIB)):  # blocks do not fit; their sum does not
            with pytest.raises(HttpResponseError) as caught:
                container.upload_blob("blob", data, overwrite=True)
            assert caught.value.status_code == 413
            assert "disk of the local workspace is full" in caught.value.message
            assert container.download_blob("blob").readall() == OLD
            assert [blob.name for blob in container.list_blobs()] == ["blob"]
            # What was sent of it gives its room back.
            container.upload_blob("blob", OLD, overwrite=True)
        container.upload_blob("other", b"x" * (2 * MIB))
