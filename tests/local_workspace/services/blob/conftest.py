"""A blob service and a store, without a workspace."""

import itertools

import pytest
from blob_server import running_server

from local_workspace.store.blobs import BlobStore

_numbers = itertools.count()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A blob service for the tests of one module."""
    with running_server(tmp_path_factory.mktemp("blobs")) as running:
        yield running


@pytest.fixture
def new_container(server):
    """Makes containers of names that no other has."""
    return lambda account="first": server.client(account).create_container(
        f"container-{next(_numbers)}"
    )


@pytest.fixture
def container(new_container):
    """A container of this test's own."""
    return new_container()


@pytest.fixture
def store(tmp_path):
    """A store with the empty container `data`, without a server."""
    made = BlobStore(tmp_path / "blobs")
    made.create_container("first", "data")
    return made
