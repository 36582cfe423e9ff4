"""What staging a block costs, and how many blocks a blob takes."""

import base64
import os

import pytest

from local_workspace.store.blobs import BlobError, BlobStore, blocks
from local_workspace.store.blobs.properties import new_properties

PLACE = ("account", "container")


def block_id(number):
    return base64.b64encode(f"{number:06}".encode()).decode()


@pytest.fixture
def store(tmp_path):
    store = BlobStore(tmp_path)
    store.create_container(*PLACE)
    return store


def stage(store, number, content=b"x"):
    with store.new_file() as file:
        file.write(content)
        store.stage_block(*PLACE, "blob", block_id(number), file)


def test_the_blocks_that_are_there_are_not_listed_at_each_block(store, monkeypatch):
    listed = []
    listdir = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: listed.append(path) or listdir(path))
    for number in range(50):
        stage(store, number)
    assert len(listed) == 1


def test_a_blob_takes_no_more_blocks_than_azure_allows(store, monkeypatch):
    monkeypatch.setattr(blocks, "MAX_UNCOMMITTED_BLOCKS", 5)
    for number in range(5):
        stage(store, number)
        stage(store, 0, b"again")
    stage(store, 4, b"new")
    with pytest.raises(BlobError, match="uncommitted") as refused:
        stage(store, 5)
    assert refused.value.code == "BlockCountExceedsLimit"
    entries = [(blocks.LATEST, block_id(number)) for number in range(5)]
    store.commit_blocks(*PLACE, entries, new_properties("blob"))
    assert store.properties(*PLACE, "blob").size == len(b"again") + 3 + len(b"new")
    stage(store, 5)


def test_blocks_of_another_length_are_refused(store):
    stage(store, 1)
    with store.new_file() as file, pytest.raises(BlobError) as refused:
        store.stage_block(*PLACE, "blob", base64.b64encode(b"1").decode(), file)
    assert refused.value.code == "InvalidBlobOrBlock"
