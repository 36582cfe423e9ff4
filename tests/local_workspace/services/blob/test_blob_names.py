"""Names of blobs: any that Azure allows comes back as it was, none leaves its container."""

import os
import ssl
import string
import urllib.error
import urllib.request

import pytest
from azure.core.exceptions import HttpResponseError
from blob_server import ACCOUNTS
from hypothesis import given, settings
from hypothesis import strategies as st

from local_workspace.services.blob import sign_sas
from local_workspace.services.blob.conditions import parse_range
from local_workspace.services.blob.wire import decode_marker, encode_marker, parse_block_list
from local_workspace.store.blobs import BlobError, BlobStore
from local_workspace.store.blobs.names import (
    check_blob,
    decode_segment,
    encode_segment,
    successor,
)

ODD_NAMES = [
    "plain.txt",
    "with space",
    "plus+and%percent",
    "%41 is not A",
    "%file",
    "%empty",
    "a%.json",
    "question?mark#hash&and=equals",
    "quote'\"quotes",
    "back\\slash",
    "ümläut/straße",
    "日本語/ファイル",
    "emoji 🎉",
    "tab\tinside",
    "new\nline",
    "carriage\rreturn",
    "<xml>&amp;",
    "double//slash",
    "trailing/",
    "/leading",
    "dot.",
    "...",
    ".hidden",
    "a" * 200,
    "/".join(["deep"] * 100),
]

# Everything but lone surrogates, which are no characters.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@pytest.fixture(scope="module")
def odd(server):
    """A container with a blob of each odd name, whose content is its name."""
    container = server.client().create_container("odd-names")
    for name in ODD_NAMES:
        container.upload_blob(name, name.encode())
    return container


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_come_back(odd, name):
    assert odd.download_blob(name).readall() == name.encode()
    assert odd.get_blob_client(name).get_blob_properties().size == len(name.encode())


def test_odd_names_are_listed_in_the_order_of_their_bytes(odd):
    assert [blob.name for blob in odd.list_blobs()] == sorted(ODD_NAMES, key=str.encode)


@pytest.mark.parametrize("per_page", [1, 3, 7])
def test_pages_are_the_listing_cut_in_pieces(odd, per_page):
    pages = [
        [blob.name for blob in page] for page in odd.list_blobs(results_per_page=per_page).by_page()
    ]
    assert all(len(page) == per_page for page in pages[:-1])
    assert [name for page in pages for name in page] == sorted(ODD_NAMES, key=str.encode)


def test_folders_are_told_by_the_delimiter(server):
    container = server.client().create_container("folders")
    for name in ("a/1", "a/2", "a/deeper/3", "a.txt", "a0", "b"):
        container.upload_blob(name, b"")
    # The client puts the folders of a page first.
    assert [item.name for item in container.walk_blobs()] == ["a/", "a.txt", "a0", "b"]
    below = [item.name for item in container.walk_blobs(name_starts_with="a/")]
    assert below == ["a/deeper/", "a/1", "a/2"]
    assert [blob.name for blob in container.list_blobs(name_starts_with="a/d")] == ["a/deeper/3"]
    assert list(container.list_blobs(name_starts_with="nothing")) == []


def test_a_page_goes_on_where_blobs_have_vanished(server):
    container = server.client().create_container("vanishing")
    for number in range(10):
        container.upload_blob(f"blob{number}", b"")
    pages = container.list_blobs(results_per_page=4).by_page()
    first = [blob.name for blob in next(pages)]
    container.delete_blob("blob4")
    container.upload_blob("blob99", b"")
    rest = [blob.name for page in pages for blob in page]
    assert first + rest == [*(f"blob{n}" for n in (0, 1, 2, 3, 5, 6, 7, 8, 9)), "blob99"]


def test_a_marker_that_is_none(server):
    container = server.client().create_container("marker")
    with pytest.raises(HttpResponseError) as caught:
        list(container.list_blobs().by_page(continuation_token="not one of ours"))
    assert caught.value.status_code == 400
    assert "marker" in caught.value.message


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "../outside",
        "a/../../outside",
        "%2e%2e/outside",
        "a/%2e%2e/%2e%2e/outside",
        "..%2foutside",
        "%2e%2e%2f%2e%2e%2foutside",
        ".",
        "nul%00byte",
        "%ff%fe",
    ],
)
def test_no_path_leads_out(server, path):
    """Sent as it stands: clients would clean it."""
    if not server.store.container_exists("first", "inside"):
        server.store.create_container("first", "inside")
    outside = os.path.join(server.store.layout.root, "outside")
    sas = sign_sas("first", ACCOUNTS["first"], "inside", permissions="racwd")
    request = urllib.request.Request(
        f"{server.origin}/inside/{path}?{sas}",
        data=b"x",
        method="PUT",
        headers={"x-ms-blob-type": "BlockBlob", "x-ms-version": "2021-12-02"},
    )
    context = ssl.create_default_context(cafile=server.ca_file)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, context=context, timeout=10)
    assert caught.value.code == 400
    assert not os.path.exists(outside)
    assert server.store.list("first", "inside").entries == []


def test_a_link_in_the_folder_is_not_followed(server, tmp_path):
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "file").write_text("secret")
    container = server.client().create_container("links")
    folder = server.store.layout.container("first", "links")
    os.symlink(secret / "file", f"{folder}/file")
    os.symlink(secret, f"{folder}/folder")
    assert list(container.list_blobs()) == []
    for name in ("file", "folder/file"):
        assert not container.get_blob_client(name).exists()
    for name in ("file", "folder/file", "folder/new"):
        with pytest.raises(HttpResponseError) as caught:
            container.upload_blob(name, b"x", overwrite=True)
        assert caught.value.status_code == 409
    assert (secret / "file").read_text() == "secret"
    assert os.listdir(secret) == ["file"]


@pytest.mark.parametrize(
    "name", ["", "x" * 1025, "/".join(["s"] * 255), "a/" + "ü" * 121, ".", "a/.."]
)
def test_names_that_are_refused(name):
    with pytest.raises(BlobError) as caught:
        check_blob(name)
    assert caught.value.status == 400


@settings(max_examples=300, deadline=None)
@given(TEXT)
def test_a_segment_and_its_file_name_are_one_to_one(segment):
    segment = segment.replace("/", "").replace("\0", "")
    if segment in (".", "..") or len(segment.encode()) > 60:
        return
    name = encode_segment(segment)
    assert "/" not in name and "\\" not in name and name not in ("", ".", "..")
    assert decode_segment(name) == segment


@settings(max_examples=300, deadline=None)
@given(TEXT)
def test_a_file_name_means_one_segment_at_most(file_name):
    segment = decode_segment(file_name)
    assert segment is None or encode_segment(segment) == file_name


@settings(max_examples=300, deadline=None)
@given(TEXT, TEXT)
def test_the_successor_follows_everything_with_the_prefix(prefix, rest):
    following = successor(prefix)
    if following is None:
        assert set(prefix) == {"\U0010ffff"}
    else:
        assert following > prefix + rest
        assert not following.startswith(prefix)


@settings(max_examples=200, deadline=None)
@given(TEXT)
def test_markers_hold_any_name(name):
    marker = encode_marker(name)
    assert decode_marker(marker) == name
    assert set(marker) <= set(string.ascii_letters + string.digits + "-_=")


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 50),
    st.one_of(st.none(), st.integers(0, 60)),
    st.one_of(st.none(), st.integers(0, 60)),
)
def test_a_range_is_what_slicing_gives(size, first, last):
    data = bytes(range(size))
    header = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    if first is not None:
        expected = data[first:] if last is None else data[first : last + 1]
    else:
        expected = data[-last:] if last else b""
    try:
        found = parse_range(header, size)
    except BlobError as error:
        assert (error.status, expected) == (416, b"")
        return
    if found is None:
        # HTTP: a range that is none is ignored.
        assert (first is None and last is None) or (
            first is not None and last is not None and last < first
        )
    else:
        offset, length = found
        assert data[offset : offset + length] == expected != b""


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_a_block_list_is_understood_or_refused(body):
    try:
        entries = parse_block_list(body)
    except BlobError as error:
        assert error.status == 400
    else:
        assert all(kind in ("Committed", "Uncommitted", "Latest") for kind, _ in entries)


def test_a_block_list_with_entities_is_refused():
    body = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><BlockList><Latest>&a;</Latest></BlockList>'
    with pytest.raises(BlobError) as caught:
        parse_block_list(body)
    assert (caught.value.status, caught.value.code) == (400, "InvalidXmlDocument")


@settings(max_examples=40, deadline=None)
@given(st.sets(st.text("ab/.%", min_size=1, max_size=8), max_size=8), st.text("ab/", max_size=3))
def test_listing_is_sorting_whatever_the_names(tmp_path_factory, names, prefix):
    names = {name for name in names if not {".", ".."} & set(name.split("/"))}
    store = BlobStore(tmp_path_factory.mktemp("store"))
    store.create_container("first", "data")
    for name in names:
        store.put_bytes("first", "data", name, name.encode())
    expected = sorted(name for name in names if name.startswith(prefix))
    found = store.list("first", "data", prefix)
    assert [blob.name for blob in found.blobs] == expected
    for name in names:
        with store.open("first", "data", name) as file:
            assert file.read() == name.encode()
    grouped = store.list("first", "data", prefix, "/")
    heads = {
        name[: name.index("/", len(prefix)) + 1] if "/" in name[len(prefix) :] else name
        for name in expected
    }
    assert [e if isinstance(e, str) else e.name for e in grouped.entries] == sorted(heads)
    for name in names:
        store.delete("first", "data", name)
    assert store.list("first", "data").entries == []
    assert os.listdir(store.layout.container("first", "data")) == []
