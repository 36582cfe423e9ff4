"""What Azure's clients see: large transfers, blocks, listings, headers and bodies as Azure's."""

import base64
import hashlib
import os
import ssl
import threading
import urllib.error
import urllib.request
from xml.etree import ElementTree

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobBlock
from blob_server import ACCOUNTS, MIB

from local_workspace.services.blob import sign_sas
from local_workspace.store.blobs import BlobStore, blocks
from local_workspace.store.blobs.digests import crc64
from local_workspace.store.blobs.properties import new_properties


@pytest.fixture(scope="module")
def server(server):
    """With the container `data` and the blob `page` in it."""
    server.client().create_container("data")
    server.store.put_bytes("first", "data", "page", b"0123456789")
    return server


@pytest.fixture
def container(server):
    return server.client().get_container_client("data")


@pytest.fixture(scope="module")
def large():
    """65 MiB in which every place differs, so that a block that is lost or moved is seen."""
    return hashlib.shake_256(b"large").digest(65 * MIB)


def call(server, method, path, headers=None, body=None, *, permissions="racwdl"):
    """Status, headers and body of a request as it stands, with a SAS."""
    sas = sign_sas("first", ACCOUNTS["first"], "data", permissions=permissions)
    url = f"{server.origin}/data{path}{'&' if '?' in path else '?'}{sas}"
    request = urllib.request.Request(url, body, headers or {}, method=method)
    context = ssl.create_default_context(cafile=server.ca_file)
    try:
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def block_id(name):
    return base64.b64encode(name.encode()).decode()


def test_a_large_upload_in_parallel_blocks_reads_back_identical(server, large):
    client = server.client(max_single_put_size=MIB, max_block_size=4 * MIB)
    blob = client.get_blob_client("data", "large")
    blob.upload_blob(large, max_concurrency=8, overwrite=True)
    assert blob.get_blob_properties().size == len(large)
    with server.store.open("first", "data", "large") as file:
        assert hashlib.sha256(file.read()).digest() == hashlib.sha256(large).digest()
    assert blob.download_blob(max_concurrency=4).readall() == large
    assert os.listdir(server.store.layout.temporary) == []


@pytest.mark.parametrize(
    ("offset", "length"),
    [
        (0, 65 * MIB),
        (1, 64 * MIB),
        (33 * MIB - 7, 20 * MIB + 113),
        (MIB, MIB),
        (MIB - 1, MIB + 2),
        (65 * MIB - 1, 1),
        (64 * MIB, 5 * MIB),
    ],
)
def test_large_ranges(server, large, offset, length):
    if not server.store.exists("first", "data", "ranges"):
        server.store.put_bytes("first", "data", "ranges", large)
    last = min(offset + length, len(large)) - 1
    asked = {"x-ms-range": f"bytes={offset}-{offset + length - 1}", "Range": "bytes=0-1"}
    status, headers, body = call(server, "GET", "/ranges", asked)
    assert status == 206
    assert headers["Content-Range"] == f"bytes {offset}-{last}/{len(large)}"
    assert int(headers["Content-Length"]) == len(body) == last - offset + 1
    assert body == large[offset : last + 1]


def test_blocks_are_invisible_until_they_are_committed(server, container):
    blob = container.get_blob_client("parts/hidden")
    for name in ("002", "001", "003"):
        blob.stage_block(block_id(name), name.encode())
    assert not blob.exists()
    with pytest.raises(ResourceNotFoundError):
        blob.download_blob()
    assert [found.name for found in container.list_blobs("parts/")] == []
    committed, waiting = blob.get_block_list("all")
    assert (committed, sorted(block.size for block in waiting)) == ([], [3, 3, 3])
    blob.commit_block_list([BlobBlock(block_id(name)) for name in ("003", "001")])
    assert blob.download_blob().readall() == b"003001"
    assert [found.name for found in container.list_blobs("parts/")] == ["parts/hidden"]
    # The one that was left out is gone.
    assert blob.get_block_list("uncommitted")[1] == []


def test_a_block_that_was_sent_again_and_its_committed_version(server, container):
    blob = container.get_blob_client("again")
    blob.stage_block("001", b"old")
    blob.commit_block_list([BlobBlock("001")])
    blob.stage_block("001", b"new")
    kinds = ("Uncommitted", "Committed", "Latest")
    entries = "".join(f"<{kind}>{block_id('001')}</{kind}>" for kind in kinds)
    body = f"<BlockList>{entries}</BlockList>".encode()
    assert call(server, "PUT", "/again?comp=blocklist", {}, body)[0] == 201
    assert blob.download_blob().readall() == b"newoldnew"


def test_block_ids_as_the_data_engine_sends_them(server):
    """It does not escape the `=` at the end of a block's id."""
    for written, data in (("MDAwMQ==", b"first"), ("MDAwMg%3D%3D", b"second")):
        path = f"/engine?comp=block&blockid={written}"
        assert call(server, "PUT", path, {}, data)[0] == 201
    body = b"<BlockList><Latest>MDAwMg==</Latest><Latest>MDAwMQ==</Latest></BlockList>"
    assert call(server, "PUT", "/engine?comp=blocklist", {}, body)[0] == 201
    assert call(server, "GET", "/engine")[2] == b"secondfirst"


def test_a_block_that_is_sent_again_during_a_commit(tmp_path, monkeypatch):
    """Of two writers of one blob each gets a whole answer: no mix of sizes, nothing cut off."""
    store = BlobStore(tmp_path)
    store.create_container("first", "data")

    def stage(data):
        file = store.new_file()
        file.write(data)
        store.stage_block("first", "data", "blob", "MDAx", file)

    stage(b"long" * 1000)
    assemble = blocks.assemble
    second = threading.Thread(target=stage, args=(b"short",))

    def meanwhile(*arguments):
        second.start()
        second.join(0.2)  # it has to wait for the commit
        assemble(*arguments)

    monkeypatch.setattr(blocks, "assemble", meanwhile)
    made = store.commit_blocks("first", "data", [("Latest", "MDAx")], new_properties("blob"))
    second.join()
    assert made.size == 4000
    with store.open("first", "data", "blob") as file:
        assert file.read() == b"long" * 1000


def test_checksums_of_a_block(server):
    body = b"123456789"
    assert crc64(body) == 0xAE8B14860A799888  # the check value of CRC-64/NVME
    good = base64.b64encode(crc64(body).to_bytes(8, "little")).decode()
    path = f"/checked?comp=block&blockid={block_id('001')}"
    assert call(server, "PUT", path, {"x-ms-content-crc64": good}, body)[0] == 201
    status, headers, _ = call(server, "PUT", path, {"x-ms-content-crc64": good}, body + b"0")
    assert (status, headers["x-ms-error-code"]) == (400, "Crc64Mismatch")
    md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
    status, headers, _ = call(server, "PUT", path, {"Content-MD5": md5}, body)
    assert (status, headers["Content-MD5"]) == (201, md5)
    status, headers, _ = call(server, "PUT", path, {"Content-MD5": md5}, body + b"0")
    assert (status, headers["x-ms-error-code"]) == (400, "Md5Mismatch")


def test_what_every_answer_carries(server):
    sent = {"x-ms-client-request-id": "my-request", "x-ms-version": "2020-10-02"}
    for path, status in (("/page", 200), ("/missing", 404)):
        found, headers, _ = call(server, "GET", path, sent)
        assert found == status
        assert headers["x-ms-client-request-id"] == "my-request"
        assert headers["x-ms-version"] == "2020-10-02"
        assert len(headers["x-ms-request-id"]) == 36
        assert headers["Date"].endswith("GMT")


def test_the_body_of_an_error(server):
    status, headers, body = call(server, "GET", "/missing%3Cb%3E")
    assert (status, headers["Content-Type"]) == (404, "application/xml")
    root = ElementTree.fromstring(body)
    assert root.tag == "Error"
    assert root.findtext("Code") == headers["x-ms-error-code"] == "BlobNotFound"
    message = root.findtext("Message").split("\n")
    assert message[0].startswith("The specified blob does not exist.")
    assert "missing<b>" in message[0]
    assert message[1] == f"RequestId:{headers['x-ms-request-id']}"
    assert message[2].startswith("Time:")
    assert call(server, "HEAD", "/missing")[2] == b""


def test_head_and_get_agree(server):
    _, head, nothing = call(server, "HEAD", "/page")
    _, get, body = call(server, "GET", "/page")
    assert (nothing, body) == (b"", b"0123456789")
    own = ("Date", "x-ms-request-id", "x-ms-access-tier", "x-ms-access-tier-inferred")
    for name in set(head.keys()) | set(get.keys()):
        if name not in own:
            assert head[name] == get[name], name
    assert head["Content-Length"] == "10"
    assert head["ETag"].startswith('"0x8')
    assert head["x-ms-blob-type"] == "BlockBlob"


def test_the_body_of_a_listing(server):
    server.store.put_bytes("first", "data", "list/a&b/1", b"1", metadata={"key": "a<b"})
    server.store.put_bytes("first", "data", "list/c\r", b"22", content_type="text/csv")
    server.store.put_bytes("first", "data", "list/d\x01", b"22")
    query = "?restype=container&comp=list&prefix=list/&include=metadata"
    status, headers, body = call(server, "GET", query)
    assert (status, headers["Content-Type"]) == (200, "application/xml")
    root = ElementTree.fromstring(body)
    assert (root.tag, root.get("ContainerName")) == ("EnumerationResults", "data")
    assert root.findtext("Prefix") == "list/"
    assert root.findtext("NextMarker") == ""
    first, second, third = root.findall("Blobs/Blob")
    assert first.findtext("Name") == "list/a&b/1"
    assert first.findtext("Metadata/key") == "a<b"
    assert second.findtext("Name") == "list/c\r"
    assert second.findtext("Properties/Content-Length") == "2"
    assert second.findtext("Properties/Content-Type") == "text/csv"
    assert second.findtext("Properties/BlobType") == "BlockBlob"
    # XML cannot hold it.
    assert (third.find("Name").get("Encoded"), third.findtext("Name")) == ("true", "list/d%01")
    odd = ElementTree.fromstring(call(server, "GET", query.replace("list/&", "list/d%01&"))[2])
    assert (odd.find("Prefix").get("Encoded"), odd.findtext("Prefix")) == ("true", "list/d%01")
    assert odd.findtext("Blobs/Blob/Name") == "list/d%01"
    page = f"{query}&delimiter=/&maxresults=1"
    root = ElementTree.fromstring(call(server, "GET", page)[2])
    assert [prefix.findtext("Name") for prefix in root.findall("Blobs/BlobPrefix")] == ["list/a&b/"]
    assert (root.findtext("MaxResults"), root.findtext("Delimiter")) == ("1", "/")
    marker = root.findtext("NextMarker")
    root = ElementTree.fromstring(call(server, "GET", f"{page}&marker={marker}")[2])
    assert [blob.findtext("Name") for blob in root.findall("Blobs/Blob")] == ["list/c\r"]


def test_folders_are_listed_without_reading_what_is_in_them_again(tmp_path, monkeypatch):
    store = BlobStore(tmp_path)
    store.create_container("first", "data")
    for number in range(50):
        for name in ("x", "deep/y"):
            path = tmp_path / "first" / "data" / "runs" / f"{number:02}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
    read = []
    scandir = os.scandir

    def record(path):
        read.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", record)
    found = store.list("first", "data", "runs/", "/")
    assert found.prefixes == [f"runs/{number:02}/" for number in range(50)]
    assert len(read) == len(set(read)) <= 101


def test_containers_in_pages(server):
    client = server.client("second")
    names = [f"page-{number}" for number in range(5)]
    for name in names:
        client.create_container(name, metadata={"number": name[-1]})
    client.create_container("other")
    pages = client.list_containers("page-", include_metadata=True, results_per_page=2).by_page()
    found = [list(page) for page in pages]
    assert [len(page) for page in found] == [2, 2, 1]
    assert [container.name for page in found for container in page] == names
    assert found[2][0].metadata == {"number": "4"}


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "?restype=container&comp=list&maxresults=" + "9" * 5000, {}),
        ("GET", "?restype=container&comp=list&maxresults=-1", {}),
        ("GET", "?restype=container&comp=list&maxresults=0", {}),
        ("GET", "?restype=container&comp=list&marker=%00", {}),
        ("GET", "?restype=container&comp=list&include=uncommittedblobs", {}),
        ("PUT", "/copy", {"x-ms-copy-source": "https://[::1/data/page"}),
        ("PUT", "/copy", {"x-ms-copy-source": "https://localhost:port/data/page"}),
        ("PUT", "/log?comp=appendblock", {"x-ms-blob-condition-appendpos": "9" * 5000}),
        ("GET", "/page", {"If-Modified-Since": "Mon, 01 Jan 2020 00:00:00 +99999999"}),
        ("GET", "/page", {"If-Modified-Since": f"Mon, 01 Jan 2020 00:00:00 +{'9' * 40}"}),
        ("PUT", "/new?comp=lease", {}),
        ("POST", "?comp=batch", {}),
        ("GET", "/page?snapshot=2020-01-01", {}),
        ("PUT", "/new", {"x-ms-blob-type": "PageBlob", "x-ms-blob-content-length": "512"}),
    ],
)
def test_what_cannot_be_is_400_with_a_reason(server, method, path, headers):
    body = b"x" if method == "PUT" else None
    status, answer, text = call(server, method, path, headers, body)
    assert status == 400
    root = ElementTree.fromstring(text)
    assert root.findtext("Code") == answer["x-ms-error-code"]
    assert len(root.findtext("Message")) > 20
    assert not server.store.exists("first", "data", "copy")
    assert not server.store.exists("first", "data", "new")


@pytest.mark.parametrize(
    "head",
    [
        b'<?xml version="1.0" encoding="nothing"?>',
        b"<?xml version='1.0' encoding='utf-32'?>",
        b'\xef\xbb\xbf<?xml version="1.0" encoding="idna"?>',
        b"<!DOCTYPE a>",
        b"\xff",
    ],
)
def test_a_block_list_in_another_encoding_is_refused(server, head):
    body = head + b"<BlockList></BlockList>"
    status, answer, _ = call(server, "PUT", "/new?comp=blocklist", {}, body)
    assert (status, answer["x-ms-error-code"]) == (400, "InvalidXmlDocument")
    assert not server.store.exists("first", "data", "new")


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/page?comp=properties", {"x-ms-blob-content-length": "1"}),
        ("/page?comp=properties", {"x-ms-sequence-number-action": "increment"}),
        ("/page?comp=metadata", {"x-ms-if-sequence-number-eq": "5"}),
        ("/new", {"x-ms-blob-type": "BlockBlob", "x-ms-blob-sequence-number": "1"}),
        ("/new", {"x-ms-blob-type": "BlockBlob", "x-ms-blob-content-length": "512"}),
    ],
)
def test_what_is_for_page_blobs_is_refused_for_others(server, path, headers):
    status, answer, text = call(server, "PUT", path, headers, b"")
    assert (status, answer["x-ms-error-code"]) == (409, "InvalidBlobType")
    assert next(name for name in headers if name != "x-ms-blob-type").encode() in text
    assert not server.store.exists("first", "data", "new")
    assert server.store.properties("first", "data", "page").size == 10


@pytest.mark.parametrize(
    "asked", [f"bytes={'9' * 5000}-", "bytes=\u0663-", "lines=1-2", "bytes=x-"]
)
def test_a_range_that_is_none_gives_all(server, asked):
    """RFC 9110, 14.2: a range that a server does not understand is ignored."""
    status, _, body = call(server, "GET", "/page", {"x-ms-range": asked.encode()})
    assert (status, body) == (200, b"0123456789")


def test_copying_a_large_blob_of_another_account(server, large):
    data = large[: 9 * MIB]
    server.store.put_bytes("first", "data", "source", data, metadata={"k": "v"})
    source_sas = sign_sas("first", ACCOUNTS["first"], "data", "source")
    target = server.client("second").create_container("copies").get_blob_client("copy")
    answer = target.start_copy_from_url(f"{server.account_url('first')}/data/source?{source_sas}")
    assert answer["copy_status"] == "success"
    properties = target.get_blob_properties()
    assert (properties.size, properties.metadata) == (len(data), {"k": "v"})
    assert "sig=" not in properties.copy.source
    assert target.download_blob().readall() == data
    with pytest.raises(HttpResponseError) as caught:
        target.start_copy_from_url(f"{server.account_url('first')}/data/source")
    assert caught.value.status_code == 403
