"""Properties that hold for any input: block lists, appends, ranges, pages, and no 5xx whatever."""

import asyncio
import base64
import string
from datetime import timedelta
from xml.etree import ElementTree

import pytest
from blob_server import ACCOUNTS
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from local_workspace.services.blob import BlobService, sign_sas
from local_workspace.store.blobs import BlobError, BlobStore
from local_workspace.store.blobs.properties import new_properties

NAMES = ["a", "a/b", "a/b/c", "a//", "a%file", "%empty", "ä", "b" * 240, "..."]
BLOCKS = [base64.b64encode(name).decode() for name in (b"1", b"2", b"3", b"4")]
SAS = sign_sas("first", ACCOUNTS["first"], "data", permissions="racwdl", expiry=timedelta(hours=9))


class Answer:
    """What the service sent for one request."""

    def __init__(self, messages):
        self.status = messages[0]["status"]
        self.headers = {name.decode().lower(): value for name, value in messages[0]["headers"]}
        self.body = b"".join(message.get("body", b"") for message in messages[1:])


def ask(service, method, path, query="", headers=(), body=b""):
    """Send one request to the service as an application, without a network between."""
    incoming = [{"type": "http.request", "body": body, "more_body": False}]
    outgoing = []

    async def receive():
        return incoming.pop() if incoming else {"type": "http.disconnect"}

    async def send(message):
        outgoing.append(message)

    scope = {
        "type": "http",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode("latin-1"),
        "query_string": f"{query}&{SAS}".encode("latin-1"),
        "headers": [(b"host", b"localhost"), *headers],
        "client": ("127.0.0.1", 1),
    }
    asyncio.run(service(scope, receive, send))
    return Answer(outgoing)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    made = BlobStore(tmp_path_factory.mktemp("store"))
    made.create_container("first", "data")
    return made


@pytest.fixture(scope="module")
def service(store):
    return BlobService(store, lambda: ACCOUNTS)


def content(store, name):
    with store.open("first", "data", name) as file:
        return file.read()


class Blobs(RuleBasedStateMachine):
    """A store beside a model of it: dictionaries of blobs and of the blocks that wait."""

    folders = None

    def __init__(self):
        super().__init__()
        self.store = BlobStore(next(self.folders))
        self.store.create_container("first", "data")
        self.blobs = {}  # name -> (kind, [(block, bytes)], metadata)
        self.waiting = {}  # name -> {block: bytes}

    @rule(name=st.sampled_from(NAMES), data=st.binary(max_size=20), value=st.sampled_from("xyz"))
    def put(self, name, data, value):
        self.store.put_bytes("first", "data", name, data, metadata={"key": value})
        self.blobs[name] = ("BlockBlob", data, {}, {"key": value})
        self.waiting.pop(name, None)

    @rule(name=st.sampled_from(NAMES))
    def delete(self, name):
        if name in self.blobs:
            self.store.delete("first", "data", name)
            del self.blobs[name]
            self.waiting.pop(name, None)
        else:
            with pytest.raises(BlobError, match="does not exist"):
                self.store.delete("first", "data", name)

    @rule(name=st.sampled_from(NAMES), block=st.sampled_from(BLOCKS), data=st.binary(max_size=20))
    def stage(self, name, block, data):
        with self.store.new_file() as file:
            file.write(data)
            if self.blobs.get(name, "?")[0] == "AppendBlob":
                with pytest.raises(BlobError, match="type is invalid"):
                    self.store.stage_block("first", "data", name, block, file)
            else:
                self.store.stage_block("first", "data", name, block, file)
                self.waiting.setdefault(name, {})[block] = data

    @rule(
        name=st.sampled_from(NAMES),
        entries=st.lists(
            st.tuples(
                st.sampled_from(["Committed", "Uncommitted", "Latest"]), st.sampled_from(BLOCKS)
            ),
            max_size=4,
        ),
    )
    def commit(self, name, entries):
        kind, _, committed, _ = self.blobs.get(name, ("", b"", {}, {}))
        waiting = self.waiting.get(name, {})
        parts = []
        for wanted, block in entries:
            if wanted != "Committed" and block in waiting:
                parts.append((block, waiting[block]))
            elif wanted != "Uncommitted" and block in committed:
                parts.append((block, committed[block]))
            else:
                parts.append(None)
        properties = new_properties(name)
        if kind == "AppendBlob" or None in parts:
            with pytest.raises(BlobError, match=r"block list|type is invalid"):
                self.store.commit_blocks("first", "data", entries, properties)
        else:
            self.store.commit_blocks("first", "data", entries, properties)
            whole = b"".join(data for _, data in parts)
            self.blobs[name] = ("BlockBlob", whole, dict(parts), {})
            self.waiting.pop(name, None)

    @rule(name=st.sampled_from(NAMES), data=st.binary(min_size=1, max_size=20))
    def append(self, name, data):
        kind, present, _, metadata = self.blobs.get(name, ("AppendBlob", b"", {}, {}))
        if kind != "AppendBlob":
            with pytest.raises(BlobError, match="type is invalid"):
                self.store.append("first", "data", name, data)
            return
        self.store.append("first", "data", name, data)
        self.blobs[name] = (kind, present + data, {}, metadata)
        if not present:
            self.waiting.pop(name, None)  # it was made as a whole blob

    @invariant()
    def the_listing_is_the_model(self):
        found = self.store.list("first", "data").blobs
        assert [blob.name for blob in found] == sorted(self.blobs)
        for blob in found:
            kind, data, _, metadata = self.blobs[blob.name]
            assert (blob.blob_type, blob.size, blob.metadata) == (kind, len(data), metadata)
            assert content(self.store, blob.name) == data

    @invariant()
    def the_blocks_are_the_model(self):
        for name in NAMES:
            expected = {block: len(data) for block, data in self.waiting.get(name, {}).items()}
            if expected or name in self.blobs:
                assert self.store.block_lists("first", "data", name)[1] == expected


def test_a_store_does_what_its_model_does(tmp_path_factory):
    Blobs.folders = iter(lambda: tmp_path_factory.mktemp("model"), None)
    machine = Blobs.TestCase
    machine.settings = settings(max_examples=40, stateful_step_count=15, deadline=None)
    machine().runTest()


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_range_on_the_wire_is_a_slice(service, store, data):
    size = data.draw(st.sampled_from([1, 10, 1024 * 1024, 1024 * 1024 + 1, 3 * 1024 * 1024]))
    name = f"sized-{size}"
    whole = (bytes(range(251)) * (size // 251 + 1))[:size]
    if not store.exists("first", "data", name):
        store.put_bytes("first", "data", name, whole)
    near = st.one_of(st.integers(0, size + 10), st.sampled_from([0, size - 1, size, 1048575]))
    first, last = sorted((data.draw(near), data.draw(near)))
    header = (b"x-ms-range", f"bytes={first}-{last}".encode())
    answer = ask(service, "GET", f"/data/{name}", headers=[header])
    if first >= size:
        assert (answer.status, answer.headers["x-ms-error-code"]) == (416, b"InvalidRange")
        assert answer.headers["content-range"] == f"bytes */{size}".encode()
    else:
        assert answer.status == 206
        assert answer.body == whole[first : last + 1]
        assert int(answer.headers["content-length"]) == len(answer.body)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 7),
    st.sampled_from(["", "a", "a/", "a/b/", "zz", "ä"]),
    st.sampled_from(["", "/", "b", "/x"]),
)
def test_pages_put_together_are_the_listing(tmp_path_factory, limit, prefix, delimiter):
    store = BlobStore(tmp_path_factory.getbasetemp() / "listing")
    names = [*NAMES, "a/b/d", "a/c", "a/x/1", "a/x/2", "ab/c", "zz/x", "zz/xy"]
    if not store.container_exists("first", "data"):
        store.create_container("first", "data")
        for name in names:
            store.put_bytes("first", "data", name, b"")
    expected = []
    for name in sorted(names):
        end = name.find(delimiter, len(prefix)) if delimiter else -1
        entry = name if end < 0 else name[: end + len(delimiter)]
        if name.startswith(prefix) and entry not in expected:
            expected.append(entry)
    found, start = [], ""
    while start is not None:
        page = store.list("first", "data", prefix, delimiter, start=start, limit=limit)
        assert len(page.entries) <= limit
        found += [entry if isinstance(entry, str) else entry.name for entry in page.entries]
        start = page.next_start
    assert found == expected


ANY = st.text(st.characters(max_codepoint=255, blacklist_characters="\r\n\0"), max_size=30)
QUERY_VALUE = st.one_of(
    st.text(string.ascii_letters + string.digits + "%=+/-_.,", max_size=20),
    st.sampled_from(["block", "blocklist", "appendblock", "metadata", "properties", "list"]),
    st.sampled_from(["copy", "container", "all", "%FF", "%00", "%C3", "-1", "0", "9" * 30]),
)
QUERY_NAME = st.sampled_from(
    [
        "comp",
        "restype",
        "blockid",
        "blocklisttype",
        "prefix",
        "marker",
        "maxresults",
        "delimiter",
        "include",
        "timeout",
    ]
)
HEADER_NAME = st.sampled_from(
    [
        "content-length",
        "content-md5",
        "x-ms-content-crc64",
        "x-ms-blob-content-md5",
        "x-ms-range",
        "range",
        "x-ms-blob-type",
        "if-match",
        "if-none-match",
        "if-modified-since",
        "if-unmodified-since",
        "x-ms-date",
        "x-ms-copy-source",
        "x-ms-source-if-match",
        "x-ms-blob-condition-appendpos",
        "x-ms-meta-a",
        "x-ms-meta-ä",
        "x-ms-blob-condition-maxsize",
        "x-ms-blob-content-type",
        "content-type",
        "x-ms-range-get-content-md5",
        "x-ms-client-request-id",
        "x-ms-version",
        "x-ms-lease-id",
        "transfer-encoding",
        "x-ms-delete-snapshots",
        "x-ms-access-tier",
    ]
)
HEADER_VALUE = st.one_of(
    ANY,
    st.sampled_from(["0", "3", "9" * 20, "-1", "chunked", "true", "BlockBlob", "AppendBlob", "*"]),
    st.sampled_from(["bytes=0-", "bytes=5-1", "bytes=-0", "Mon, 01 Jan 0001 00:00:00 +2400"]),
    st.sampled_from(["https://localhost/data/blob", "https://x@localhost/data", "//[", "a:b:c"]),
)
PATH = st.one_of(
    st.sampled_from(
        ["/data", "/data/blob", "/data/log", "/data/new", "/data/..", "/data/%2e%2e/x"]
    ),
    st.text(string.ascii_letters + "%/.\\ \x7f\xff", max_size=12).map(lambda text: f"/data/{text}"),
)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(["GET", "PUT", "HEAD", "DELETE", "POST", "PATCH"]),
    PATH,
    st.lists(st.tuples(QUERY_NAME, QUERY_VALUE), max_size=3),
    st.dictionaries(HEADER_NAME, HEADER_VALUE, max_size=4),
    st.one_of(st.binary(max_size=10), st.sampled_from([b"abc", b"<BlockList/>"])),
)
def test_no_request_is_an_accident(service, store, method, path, query, headers, body):
    """Whatever is sent, the answer is a success or says as XML what the client did wrong."""
    if not store.exists("first", "data", "blob"):
        store.put_bytes("first", "data", "blob", b"content")
    fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    text = "&".join(f"{name}={value}" for name, value in query)
    answer = ask(service, method, path, text, fields, body)
    assert answer.status < 500
    if answer.status >= 400 and method != "HEAD":
        root = ElementTree.fromstring(answer.body)
        assert root.findtext("Code").encode() == answer.headers["x-ms-error-code"]
        assert root.findtext("Message")
    elif answer.headers.get("content-type") == b"application/xml" and method == "GET":
        ElementTree.fromstring(answer.body)
