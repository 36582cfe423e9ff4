"""Blobs when things go wrong: a killed process, a full disk, a client that leaves, bad requests."""

import errno
import hashlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
import time

import pytest
from azure.core.exceptions import HttpResponseError
from blob_server import ACCOUNTS, MIB
from execution_helpers import wait_until

from local_workspace.services.blob import sign_sas
from local_workspace.store.blobs import BlobError, on_disk


@pytest.fixture(scope="module")
def server(server):
    """With the container `data`."""
    server.store.create_container("first", "data")
    return server


@pytest.fixture
def container(server):
    return server.client().get_container_client("data")


def temporary_files(store):
    return os.listdir(store.layout.temporary)


def send(server, method, path, headers, body=b"", *, then_leave=False):
    """Send bytes as they stand; returns the status line and the rest, empty after leaving."""
    sas = sign_sas("first", ACCOUNTS["first"], "data", permissions="racwdl")
    separator = "&" if "?" in path else "?"
    lines = [f"{method} /data/{path}{separator}{sas} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    context = ssl.create_default_context(cafile=server.ca_file)
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        if then_leave:
            return ""
        answer = b""
        while b"\r\n\r\n" not in answer:
            received = connection.recv(65536)
            if not received:
                break
            answer += received
        return answer.decode()


PUT = {"x-ms-blob-type": "BlockBlob", "x-ms-version": "2021-12-02"}


def test_a_client_that_leaves_in_the_middle_leaves_nothing(server, container):
    container.upload_blob("left", b"old", overwrite=True)
    headers = {**PUT, "Content-Length": 8 * MIB}
    send(server, "PUT", "left", headers, b"x" * (3 * MIB), then_leave=True)
    wait_until(lambda: not temporary_files(server.store))
    assert container.download_blob("left").readall() == b"old"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 411),
        ({"Content-Length": 6000 * MIB}, 413),
        ({"Content-Length": 1, "Content-MD5": "short"}, 400),
        ({"Content-Length": 1, "x-ms-blob-content-md5": "AAAAAAAAAAAAAAAAAAAAAA=="}, 400),
        ({"Content-Length": 1, "x-ms-blob-type": ""}, 400),
        ({"Content-Length": 1, "x-ms-blob-type": "HexBlob"}, 400),
        ({"Content-Length": 1, "If-Modified-Since": "yesterday"}, 400),
        ({"Content-Length": 1, "x-ms-blob-content-type": "caf\u00e9"}, 400),
    ],
)
def test_bad_headers_are_the_mistake_of_the_client(server, headers, status):
    body = b"x" if headers else b""
    answer = send(server, "PUT", "bad", {**PUT, **headers}, body)
    assert answer.split()[1] == str(status)
    assert "x-ms-error-code" in answer
    assert not server.store.exists("first", "data", "bad")
    assert temporary_files(server.store) == []


def test_data_without_a_length_are_taken_in_chunks(server, container):
    headers = {**PUT, "Transfer-Encoding": "chunked"}
    answer = send(server, "PUT", "chunks", headers, b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")
    assert answer.split()[1] == "201"
    assert container.download_blob("chunks").readall() == b"hello world"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_keeps_what_was_there(server, container, monkeypatch, code):
    container.upload_blob("kept", b"old", overwrite=True)
    write_all = on_disk.write_all

    def full_after_a_mebibyte(descriptor, data):
        if os.fstat(descriptor).st_size >= MIB:
            raise OSError(code, os.strerror(code))
        write_all(descriptor, data)

    monkeypatch.setattr(on_disk, "write_all", full_after_a_mebibyte)
    with pytest.raises(HttpResponseError) as caught:
        container.upload_blob("kept", b"x" * (4 * MIB), overwrite=True)
    # Not 5xx, which a client would repeat for minutes.
    assert caught.value.status_code == 413
    assert "disk of the local workspace is full" in caught.value.message
    assert container.download_blob("kept").readall() == b"old"
    assert temporary_files(server.store) == []


def test_a_disk_that_fills_up_while_appending_leaves_whole_blocks(server, container, monkeypatch):
    blob = container.get_blob_client("log")
    blob.create_append_blob()
    blob.append_block(b"first\n")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr("local_workspace.services.blob.blob_operations.copy_range", full)
        with pytest.raises(HttpResponseError) as caught:
            blob.append_block(b"lost\n")
        assert caught.value.status_code == 413
    assert blob.download_blob().readall() == b"first\n"
    blob.append_block(b"second\n")
    assert blob.download_blob().readall() == b"first\nsecond\n"


def test_a_folder_that_cannot_be_written_is_said(store, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(BlobError) as caught:
        store.put_bytes("first", "data", "blob", b"x")
    assert (caught.value.status, caught.value.code) == (403, "LocalFileDenied")
    assert not store.exists("first", "data", "blob")


_WRITER = textwrap.dedent(
    """
    import itertools, sys
    from local_workspace.store.blobs import BlobStore

    store = BlobStore(sys.argv[1])
    for number in itertools.count():
        data = f"{number}:".encode() * 50_000
        store.put_bytes("first", "data", "version", data, metadata={"number": str(number)})
        store.append("first", "data", "log", f"{number:09}\\n".encode() * 100)
        print(number, flush=True)
    """
)


def test_a_killed_writer_leaves_whole_versions_with_their_own_properties(store):
    for kill in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", _WRITER, store.layout.root],
            stdout=subprocess.PIPE,
            text=True,
        ) as writer:
            for _ in range(3 + 2 * kill):
                last = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
        properties = store.properties("first", "data", "version")
        with store.open("first", "data", "version") as file:
            data = file.read()
        number = properties.metadata["number"]
        assert int(number) >= last
        assert data == f"{number}:".encode() * 50_000
        assert len(data) == properties.size
        with store.open("first", "data", "log") as file:
            log = file.read()
        assert len(log) % 1000 == 0
        assert len(log) == store.properties("first", "data", "log").size
    assert store.list("first", "data").blobs[0].name == "log"


def test_what_dead_processes_left_is_swept_and_living_ones_keep_theirs(store):
    living = store.new_file()
    left = os.path.join(store.layout.temporary, "left")
    with open(left, "wb") as file:
        file.write(b"x")
    long_ago = time.time() - 3600
    for path in (left, living.path):
        os.utime(path, (long_ago, long_ago))
    store.sweep()
    assert temporary_files(store) == [os.path.basename(living.path)]
    living.close()
    assert temporary_files(store) == []


def test_blocks_that_nobody_commits_are_swept(store):
    for name in ("young", "old"):
        file = store.new_file()
        file.write(b"block")
        store.stage_block("first", "data", name, "MDAx", file)
    folder = store.layout.blocks_of("first", "data", "old")
    then = time.time() - 8 * 24 * 3600
    for path in (os.path.join(folder, "303031"), folder):
        os.utime(path, (then, then))
    store.sweep()
    assert store.block_lists("first", "data", "young")[1] == {"MDAx": 5}
    with pytest.raises(BlobError) as caught:
        store.block_lists("first", "data", "old")
    assert caught.value.code == "BlobNotFound"


def test_properties_that_cannot_be_read_cost_only_the_properties(store):
    store.put_bytes("first", "data", "report.csv", b"a,b\n", metadata={"lost": "1"})
    with open(store.layout.properties("first", "data", "report.csv"), "w") as file:
        file.write('{"versions": [{"modif')
    found = store.properties("first", "data", "report.csv")
    assert (found.size, found.content_type, found.metadata) == (4, "text/csv", {})
    with store.open("first", "data", "report.csv") as file:
        assert file.read() == b"a,b\n"


def test_a_file_changed_by_hand_is_a_new_version(store):
    made = store.put_bytes("first", "data", "notes.txt", b"before", metadata={"old": "1"})
    path = store.path_of("first", "data", "notes.txt")
    path.write_bytes(b"changed by hand")
    found = store.properties("first", "data", "notes.txt")
    assert (found.size, found.metadata) == (15, {})
    assert found.etag != made.etag and found.content_md5 == ""


def test_an_open_blob_stays_the_version_it_was(store):
    store.put_bytes("first", "data", "blob", b"one")
    with store.open("first", "data", "blob") as file:
        store.put_bytes("first", "data", "blob", b"two")
        store.delete("first", "data", "blob")
        assert file.read() == b"one"


def test_large_files_are_copied_whole(store, tmp_path):
    source = tmp_path / "source"
    block = hashlib.shake_256(b"seed").digest(MIB - 1)
    with open(source, "wb") as file:
        for _ in range(70):
            file.write(block)
    made = store.put_file("first", "data", "large.bin", source)
    assert (made.size, made.content_md5) == (70 * (MIB - 1), "")
    with store.open("first", "data", "large.bin") as copy, open(source, "rb") as original:
        while chunk := original.read(MIB):
            assert copy.read(len(chunk)) == chunk
        assert copy.read() == b""
