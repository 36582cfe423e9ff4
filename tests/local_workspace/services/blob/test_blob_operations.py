"""Blob operations through Azure's own client: what is written comes back, and is on the disk."""

import base64
import hashlib
import itertools
import json
import threading
from datetime import timedelta

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobBlock, BlobType, ContentSettings
from blob_server import MIB, code_of

from local_workspace.clock import utc_now

_numbers = itertools.count()


def pattern(size, seed=1):
    """Bytes that differ from place to place, so that a shifted or swapped part is seen."""
    block = hashlib.shake_256(seed.to_bytes(4, "big")).digest(65_537)
    return (block * (size // len(block) + 1))[:size]


def test_a_blob_is_a_plain_file_with_its_properties(server, container):
    blob = container.get_blob_client("folder/report.csv")
    blob.upload_blob(
        b"a,b\n1,2\n",
        metadata={"lesson": "01"},
        content_settings=ContentSettings(
            content_type="text/csv",
            content_language="en",
            cache_control="no-cache",
            content_disposition='attachment; filename="report.csv"',
        ),
    )
    path = server.store.layout.container("first", container.container_name)
    with open(f"{path}/folder/report.csv", "rb") as file:
        assert file.read() == b"a,b\n1,2\n"
    found = blob.get_blob_properties()
    settings = found.content_settings
    assert (found.size, found.metadata, found.blob_type) == (8, {"lesson": "01"}, "BlockBlob")
    assert (settings.content_type, settings.content_language) == ("text/csv", "en")
    assert settings.cache_control == "no-cache"
    assert settings.content_disposition == 'attachment; filename="report.csv"'
    assert bytes(settings.content_md5) == hashlib.md5(b"a,b\n1,2\n").digest()
    assert abs(utc_now() - found.last_modified) < timedelta(minutes=1)
    assert blob.download_blob().readall() == b"a,b\n1,2\n"


def test_an_empty_blob(container):
    blob = container.upload_blob("empty", b"")
    assert blob.get_blob_properties().size == 0
    assert blob.download_blob().readall() == b""


def test_overwriting_changes_etag_and_keeps_the_time_of_creation(container):
    blob = container.upload_blob("twice", b"first", metadata={"version": "1"})
    before = blob.get_blob_properties()
    with pytest.raises(ResourceExistsError) as caught:
        blob.upload_blob(b"second")
    assert code_of(caught) == "BlobAlreadyExists"
    assert blob.download_blob().readall() == b"first"
    blob.upload_blob(b"second", overwrite=True)
    after = blob.get_blob_properties()
    assert blob.download_blob().readall() == b"second"
    assert after.etag != before.etag
    assert after.creation_time == before.creation_time
    assert after.metadata == {}


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [
        (0, 1, b"0"),
        (3, 4, b"3456"),
        (7, None, b"789"),
        (9, 100, b"9"),
    ],
)
def test_ranges(container, offset, length, expected):
    blob = container.upload_blob("digits", b"0123456789")
    download = blob.download_blob(offset=offset, length=length)
    assert download.readall() == expected
    assert download.size == len(expected)


def test_a_range_behind_the_end_is_refused(container):
    blob = container.upload_blob("digits", b"0123456789")
    with pytest.raises(HttpResponseError) as caught:
        blob.download_blob(offset=10, length=1).readall()
    assert (caught.value.status_code, code_of(caught)) == (416, "InvalidRange")


@pytest.mark.parametrize("size", [4 * MIB - 1, 4 * MIB, 9 * MIB + 1])
@pytest.mark.parametrize("parallel", [1, 4])
def test_blocks_in_any_order_make_the_file(server, container, size, parallel):
    data = pattern(size)
    client = server.client(max_single_put_size=MIB, max_block_size=MIB, max_single_get_size=MIB)
    blob = client.get_blob_client(container.container_name, "large")
    blob.upload_blob(data, max_concurrency=parallel, overwrite=True)
    assert blob.download_blob(max_concurrency=parallel).readall() == data
    committed, waiting = blob.get_block_list("all")
    assert sum(block.size for block in committed) == size
    assert waiting == []


def test_a_block_list_names_old_and_new_blocks(container):
    blob = container.get_blob_client("parts")
    one, two, three = (base64.b64encode(name).decode() for name in (b"001", b"002", b"003"))
    blob.stage_block(one, b"one-")
    blob.stage_block(two, b"two-")
    with pytest.raises(ResourceNotFoundError):
        blob.download_blob()
    blob.commit_block_list([BlobBlock(one), BlobBlock(two)])
    assert blob.download_blob().readall() == b"one-two-"
    blob.stage_block(three, b"three")
    committed, waiting = blob.get_block_list("all")
    assert [(block.id, block.size) for block in committed] == [(one, 4), (two, 4)]
    assert [(block.id, block.size) for block in waiting] == [(three, 5)]
    blob.commit_block_list([BlobBlock(two), BlobBlock(three), BlobBlock(two)])
    assert blob.download_blob().readall() == b"two-threetwo-"


def test_a_block_that_was_never_sent_makes_no_blob(container):
    blob = container.get_blob_client("parts")
    blob.stage_block(base64.b64encode(b"001").decode(), b"one")
    with pytest.raises(HttpResponseError) as caught:
        blob.commit_block_list([BlobBlock(base64.b64encode(b"999").decode())])
    assert (caught.value.status_code, code_of(caught)) == (400, "InvalidBlockList")
    assert not blob.exists()


def test_block_ids_of_different_lengths_are_refused(container):
    blob = container.get_blob_client("parts")
    blob.stage_block(base64.b64encode(b"001").decode(), b"one")
    with pytest.raises(HttpResponseError) as caught:
        blob.stage_block(base64.b64encode(b"0002").decode(), b"two")
    assert (caught.value.status_code, code_of(caught)) == (400, "InvalidBlobOrBlock")


def test_a_whole_upload_forgets_blocks_that_wait(container):
    blob = container.get_blob_client("parts")
    blob.stage_block(base64.b64encode(b"001").decode(), b"one")
    blob.upload_blob(b"whole")
    assert blob.get_block_list("uncommitted")[1] == []


def test_an_append_blob_grows(container):
    blob = container.get_blob_client("log.txt")
    blob.create_append_blob(content_settings=ContentSettings(content_type="text/plain"))
    first = blob.append_block(b"line 1\n")
    second = blob.append_block(b"line 2\n")
    assert (first["blob_append_offset"], second["blob_append_offset"]) == ("0", "7")
    assert (first["blob_committed_block_count"], second["blob_committed_block_count"]) == (1, 2)
    assert blob.download_blob().readall() == b"line 1\nline 2\n"
    found = blob.get_blob_properties()
    assert (found.blob_type, found.append_blob_committed_block_count) == (BlobType.APPENDBLOB, 2)


def test_appending_at_a_position_or_up_to_a_size(container):
    blob = container.get_blob_client("log.txt")
    blob.create_append_blob()
    blob.append_block(b"12345", appendpos_condition=0)
    with pytest.raises(HttpResponseError) as caught:
        blob.append_block(b"x", appendpos_condition=0)
    assert (caught.value.status_code, code_of(caught)) == (412, "AppendPositionConditionNotMet")
    with pytest.raises(HttpResponseError) as caught:
        blob.append_block(b"678", maxsize_condition=7)
    assert (caught.value.status_code, code_of(caught)) == (412, "MaxBlobSizeConditionNotMet")
    assert blob.download_blob().readall() == b"12345"


def test_kinds_of_blobs_do_not_mix(container):
    container.get_blob_client("log").create_append_blob()
    container.upload_blob("block", b"data")
    with pytest.raises(HttpResponseError) as caught:
        container.get_blob_client("block").append_block(b"x")
    assert (caught.value.status_code, code_of(caught)) == (409, "InvalidBlobType")
    with pytest.raises(HttpResponseError) as caught:
        container.get_blob_client("log").stage_block(base64.b64encode(b"1").decode(), b"x")
    assert (caught.value.status_code, code_of(caught)) == (409, "InvalidBlobType")


def test_twenty_writers_append_at_once_and_nothing_is_lost(container):
    blob = container.get_blob_client("log")
    blob.create_append_blob()
    lines = [f"writer {number:02}\n".encode() * 50 for number in range(20)]
    threads = [threading.Thread(target=blob.append_block, args=(line,)) for line in lines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    data = blob.download_blob().readall()
    parts = [data[start : start + len(lines[0])] for start in range(0, len(data), len(lines[0]))]
    assert sorted(parts) == lines


def test_metadata_and_content_headers_change_without_the_data(container):
    blob = container.upload_blob("data", b"same", metadata={"old": "1"})
    before = blob.get_blob_properties()
    blob.set_blob_metadata({"new": "2"})
    blob.set_http_headers(ContentSettings(content_type="text/plain"))
    after = blob.get_blob_properties()
    assert after.metadata == {"new": "2"}
    assert after.content_settings.content_type == "text/plain"
    assert after.etag != before.etag
    assert blob.download_blob().readall() == b"same"


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ({"1digit": "x"}, "InvalidMetadata"),
        ({"with-hyphen": "x"}, "InvalidMetadata"),
        ({"large": "x" * 9000}, "MetadataTooLarge"),
    ],
)
def test_metadata_that_azure_refuses(container, metadata, code):
    with pytest.raises(HttpResponseError) as caught:
        container.upload_blob("data", b"x", metadata=metadata)
    assert (caught.value.status_code, code_of(caught)) == (400, code)
    assert not container.get_blob_client("data").exists()


def test_conditions_on_etag(container):
    blob = container.upload_blob("data", b"1")
    old = blob.get_blob_properties().etag
    blob.upload_blob(b"2", overwrite=True, etag=old, match_condition=MatchConditions.IfNotModified)
    with pytest.raises(HttpResponseError) as caught:
        blob.upload_blob(
            b"3", overwrite=True, etag=old, match_condition=MatchConditions.IfNotModified
        )
    assert (caught.value.status_code, code_of(caught)) == (412, "ConditionNotMet")
    with pytest.raises(HttpResponseError):
        blob.delete_blob(etag=old, match_condition=MatchConditions.IfNotModified)
    assert blob.download_blob().readall() == b"2"


def test_conditions_on_time(container):
    blob = container.upload_blob("data", b"1")
    modified = blob.get_blob_properties().last_modified
    assert blob.download_blob(if_unmodified_since=modified).readall() == b"1"
    with pytest.raises(HttpResponseError) as caught:
        blob.download_blob(if_unmodified_since=modified - timedelta(seconds=5))
    assert caught.value.status_code == 412
    with pytest.raises(HttpResponseError) as caught:
        blob.download_blob(if_modified_since=modified)
    assert caught.value.status_code == 304


def test_of_many_writers_that_make_a_new_blob_one_wins(container):
    results = []

    def write(number):
        try:
            container.upload_blob("one", str(number).encode())
            results.append(number)
        except ResourceExistsError:
            pass

    threads = [threading.Thread(target=write, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 1
    assert container.download_blob("one").readall() == str(results[0]).encode()


def test_readers_see_whole_versions_while_a_blob_is_rewritten(container):
    versions = [bytes([letter]) * (3 * MIB) for letter in b"abc"]
    blob = container.upload_blob("data", versions[0])
    done = threading.Event()

    def write():
        for number in range(12):
            blob.upload_blob(versions[number % 3], overwrite=True)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    reads = 0
    while not done.is_set() or reads == 0:
        assert blob.download_blob().readall() in versions
        reads += 1
    writer.join()


def test_deleting(container):
    blob = container.upload_blob("folder/data", b"x")
    blob.delete_blob()
    assert not blob.exists()
    assert list(container.list_blobs()) == []
    with pytest.raises(ResourceNotFoundError) as caught:
        blob.delete_blob()
    assert code_of(caught) == "BlobNotFound"


def test_copying_within_the_account(server, container):
    source = container.upload_blob("source", b"content", metadata={"kept": "1"})
    target = container.get_blob_client("folder/target")
    answer = target.start_copy_from_url(source.url)
    assert answer["copy_status"] == "success"
    found = target.get_blob_properties()
    assert found.metadata == {"kept": "1"}
    assert found.copy.status == "success" and found.copy.progress == "7/7"
    assert target.download_blob().readall() == b"content"


def test_copying_what_is_not_there_or_from_elsewhere(container):
    target = container.get_blob_client("target")
    with pytest.raises(HttpResponseError) as caught:
        target.start_copy_from_url(container.get_blob_client("nothing").url)
    assert (caught.value.status_code, code_of(caught)) == (404, "CannotVerifyCopySource")
    with pytest.raises(HttpResponseError) as caught:
        target.start_copy_from_url("https://example.com/container/blob")
    assert code_of(caught) == "CannotVerifyCopySource"
    assert not target.exists()


def test_a_body_with_another_md5_leaves_nothing(container):
    blob = container.upload_blob("data", b"old")
    with pytest.raises(HttpResponseError) as caught:
        blob.upload_blob(b"new", overwrite=True, headers={"Content-MD5": md5(b"other")})
    assert (caught.value.status_code, code_of(caught)) == (400, "Md5Mismatch")
    assert blob.download_blob().readall() == b"old"
    blob.upload_blob(b"new", overwrite=True, headers={"Content-MD5": md5(b"new")})
    assert blob.download_blob().readall() == b"new"


def md5(data):
    return base64.b64encode(hashlib.md5(data).digest()).decode()


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda blob: blob.create_page_blob(512), "page blobs"),
        (lambda blob: blob.create_snapshot(), "snapshot"),
        (lambda blob: blob.acquire_lease(), "lease"),
        (lambda blob: blob.set_blob_tags({"a": "b"}), "tags"),
        (lambda blob: blob.set_standard_blob_tier("Cool"), "tier"),
    ],
)
def test_what_is_missing_says_so(container, call, what):
    blob = container.upload_blob("data", b"x")
    with pytest.raises(HttpResponseError) as caught:
        call(blob)
    assert caught.value.status_code == 400
    assert "not implemented by the local workspace" in caught.value.message
    assert what in caught.value.message


def test_a_blob_and_its_folder_can_have_one_name(container):
    container.upload_blob("name", b"the blob")
    container.upload_blob("name/inner", b"below it")
    container.upload_blob("name/inner/most", b"deeper")
    names = ["name", "name/inner", "name/inner/most"]
    assert [blob.name for blob in container.list_blobs()] == names
    read = [container.download_blob(name).readall() for name in names]
    assert read == [b"the blob", b"below it", b"deeper"]


def test_a_file_put_there_by_hand_is_a_blob(server, container):
    folder = server.store.layout.container("first", container.container_name)
    with open(f"{folder}/by_hand.json", "w", encoding="utf-8") as file:
        json.dump({"a": 1}, file)
    (found,) = container.list_blobs()
    assert (found.name, found.content_settings.content_type) == ("by_hand.json", "application/json")
    assert container.download_blob("by_hand.json").readall() == b'{"a": 1}'
