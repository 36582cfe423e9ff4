"""Datastores over several storage accounts, and after the server has moved to another port."""

import pytest

from local_workspace.errors import BadRequest
from local_workspace.paths import Paths
from local_workspace.services.blob import sign_sas
from local_workspace.services.datastore import default_datastore, get_datastore, records
from local_workspace.services.datastore.parsing import datastore_of
from local_workspace.services.datastore.routes import datastore_dto
from local_workspace.settings import Settings
from local_workspace.workspace import LocalWorkspace

OTHER_KEY = "b3RoZXIh" * 11


class TwoAccounts(LocalWorkspace):
    """A workspace with a second storage account."""

    def storage_accounts(self):
        return {**super().storage_accounts(), "second": OTHER_KEY}


def blob_store_body(name, account, container="both", **credential):
    section = {"accountName": account, "containerName": container, **credential}
    return {"name": name, "dataStoreType": "AzureBlob", "azureStorageSection": section}


def test_two_accounts_and_their_keys_are_told_apart(tmp_path):
    settings = Settings()
    workspace = TwoAccounts(Paths(tmp_path), settings, port=1)
    first, key = settings.storage_account, settings.storage_key

    def check(account, **credential):
        row = datastore_of(blob_store_body("both", account, **credential))
        records.validate(workspace, row, create_container=True, skip=False)

    check(first, credential=key, credentialType="AccountKey")
    assert workspace.blobs.container_exists(first, "both")
    assert not workspace.blobs.container_exists("second", "both")
    check("second", credential=OTHER_KEY, credentialType="AccountKey")
    assert workspace.blobs.container_exists("second", "both")
    check(
        "second",
        credential=sign_sas("second", OTHER_KEY, "both", permissions="rl"),
        credentialType="Sas",
    )
    with pytest.raises(BadRequest, match="not the key of this account"):
        check("second", credential=key, credentialType="AccountKey")
    with pytest.raises(BadRequest, match=f"belongs to the storage account '{first}'"):
        check(
            "second",
            credential=sign_sas(first, key, "both", permissions="rl"),
            credentialType="Sas",
        )
    workspace.close()


@pytest.mark.parametrize("suffix", ["core.x@", "x@", ""])
def test_the_endpoint_follows_the_port_and_the_version(tmp_path, suffix):
    settings = Settings()
    workspace = LocalWorkspace(Paths(tmp_path), settings, port=1111)
    records.ensure_default_datastores(workspace)
    body = blob_store_body(
        "kept",
        settings.storage_account,
        endpoint=f"{suffix}localhost:1111",
        accountKey=settings.storage_key,
    )
    with workspace.database.write() as session:
        records.register_datastore(session, datastore_of(body))
    workspace.close()

    moved = LocalWorkspace(Paths(tmp_path), settings, port=2222)
    records.ensure_default_datastores(moved)
    with moved.database.read() as session:
        rows = [get_datastore(session, "kept"), default_datastore(session)]
        assert len(records.list_datastores(session)) == 5
    for row in rows:
        section = datastore_dto(moved, row, include_secret=True)["azureStorageSection"]
        assert section["endpoint"] == "core.x@localhost:2222"
        assert section["accountKey"] == settings.storage_key
    moved.close()
