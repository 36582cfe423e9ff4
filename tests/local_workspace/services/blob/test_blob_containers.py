"""Containers through Azure's own client: made, described, listed, deleted, apart by account."""

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from blob_server import code_of


def test_containers(server):
    client = server.client("second")
    client.create_container("made-here", metadata={"purpose": "test"})
    with pytest.raises(ResourceExistsError) as caught:
        client.create_container("made-here")
    assert code_of(caught) == "ContainerAlreadyExists"
    container = client.get_container_client("made-here")
    assert container.get_container_properties().metadata == {"purpose": "test"}
    container.set_container_metadata({"purpose": "other"})
    found = {one.name: one.metadata for one in client.list_containers(include_metadata=True)}
    assert found["made-here"] == {"purpose": "other"}
    container.upload_blob("data", b"x")
    client.delete_container("made-here")
    assert "made-here" not in [one.name for one in client.list_containers()]
    with pytest.raises(ResourceNotFoundError) as caught:
        container.download_blob("data")
    assert code_of(caught) == "ContainerNotFound"
    client.create_container("made-here")
    assert list(container.list_blobs()) == []


@pytest.mark.parametrize("name", ["ab", "Upper", "two--hyphens", "-first", "a" * 64])
def test_container_names_that_azure_refuses(server, name):
    with pytest.raises(HttpResponseError) as caught:
        server.client().create_container(name)
    assert caught.value.status_code == 400
    assert code_of(caught) in ("InvalidResourceName", "OutOfRangeInput")


def test_accounts_are_apart(server):
    for account in ("first", "second"):
        server.client(account).create_container("same-name").upload_blob("data", account.encode())
    for account in ("first", "second"):
        container = server.client(account).get_container_client("same-name")
        assert container.download_blob("data").readall() == account.encode()
