"""Each way in which azure-storage-blob signs in and is told where a blob is."""

import os
from datetime import datetime, timedelta, timezone

import pytest
from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential
from azure.storage.blob import (
    AccountSasPermissions,
    BlobClient,
    BlobServiceClient,
    ContainerClient,
    ContainerSasPermissions,
    ResourceTypes,
    generate_account_sas,
    generate_blob_sas,
    generate_container_sas,
)

CONTAINER, BLOB = "clients", "folder/a b.bin"


@pytest.fixture
def origin(local_workspace, account):
    return f"https://{account}.blob.core.x@localhost:{local_workspace.settings.port}"


@pytest.fixture
def tomorrow():
    return datetime.now(timezone.utc) + timedelta(days=1)


@pytest.fixture
def stored(origin, key):
    """A container with a blob, and what is in it."""
    service = BlobServiceClient(origin, credential=key)
    container = service.get_container_client(CONTAINER)
    if not container.exists():
        container.create_container()
    content = os.urandom(100_000)
    container.upload_blob(BLOB, content, overwrite=True)
    return content


def check(blob, content, account):
    """A client reads what is there, replaces it, and knows whose it is."""
    assert blob.account_name == account
    assert blob.download_blob().readall() == content
    blob.upload_blob(b"new", overwrite=True)
    assert blob.download_blob().readall() == b"new"


def keys(account, key):
    return {
        "key": key,
        "named key": AzureNamedKeyCredential(account, key),
        "dictionary": {"account_name": account, "account_key": key},
    }


@pytest.mark.parametrize("kind", ["key", "named key", "dictionary"])
def test_an_account_key(origin, account, key, stored, kind):
    credential = keys(account, key)[kind]
    service = BlobServiceClient(origin, credential=credential)
    assert CONTAINER in {one.name for one in service.list_containers()}
    check(service.get_blob_client(CONTAINER, BLOB), stored, account)


@pytest.mark.parametrize("kind", ["key", "named key", "dictionary"])
def test_an_account_key_and_the_address_of_a_blob_or_container(origin, account, key, stored, kind):
    credential = keys(account, key)[kind]
    blob = BlobClient.from_blob_url(f"{origin}/{CONTAINER}/folder/a%20b.bin", credential)
    assert (blob.container_name, blob.blob_name) == (CONTAINER, BLOB)
    check(blob, stored, account)
    container = ContainerClient.from_container_url(f"{origin}/{CONTAINER}", credential)
    assert BLOB in {one.name for one in container.list_blobs()}


@pytest.mark.parametrize("as_credential", [True, False])
def test_a_sas(origin, account, key, stored, tomorrow, as_credential):
    account_sas = generate_account_sas(
        account,
        key,
        ResourceTypes(service=True, container=True, object=True),
        AccountSasPermissions(read=True, write=True, list=True),
        tomorrow,
    )
    container_sas = generate_container_sas(
        account,
        CONTAINER,
        key,
        permission=ContainerSasPermissions(read=True, write=True, list=True),
        expiry=tomorrow,
    )
    blob_sas = generate_blob_sas(
        account, CONTAINER, BLOB, account_key=key, permission="rw", expiry=tomorrow
    )

    def given(path, sas):
        if as_credential:
            return origin + path, AzureSasCredential(sas)
        return f"{origin}{path}?{sas}", None

    service = BlobServiceClient(*given("", account_sas))
    assert CONTAINER in {one.name for one in service.list_containers()}
    check(service.get_blob_client(CONTAINER, BLOB), stored, account)
    container = ContainerClient.from_container_url(*given(f"/{CONTAINER}", container_sas))
    assert BLOB in {one.name for one in container.list_blobs()}
    check(container.get_blob_client(BLOB), b"new", account)
    check(BlobClient.from_blob_url(*given(f"/{CONTAINER}/{BLOB}", blob_sas)), b"new", account)


def test_a_connection_string(local_workspace, account, key, stored):
    text = (
        f"DefaultEndpointsProtocol=https;AccountName={account};AccountKey={key};"
        f"EndpointSuffix=core.x@localhost:{local_workspace.settings.port}"
    )
    check(BlobClient.from_connection_string(text, CONTAINER, BLOB), stored, account)
    container = ContainerClient.from_connection_string(text, CONTAINER)
    assert BLOB in {one.name for one in container.list_blobs()}
    service = BlobServiceClient.from_connection_string(text)
    assert CONTAINER in {one.name for one in service.list_containers()}


def test_the_address_that_a_client_gives(origin, account, key, stored):
    address = BlobServiceClient(origin, credential=key).get_blob_client(CONTAINER, BLOB).url
    check(BlobClient.from_blob_url(address, credential=key), stored, account)
