"""Services that the local workspace does not have are told apart from containers of blobs."""

import pytest
import requests
from azure.storage.blob import BlobClient

SERVICES = ("modelregistry", "datacache", "registrymanagement", "nosuch")


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("headers", [{}, {"x-ms-version": "2020-04-08"}])
def test_an_unknown_service_is_named(local_workspace, token, name, headers):
    address = f"{local_workspace.origin}/{name}/v1.0{local_workspace.settings.scope}/x"
    signed_in = {**headers, "Authorization": f"Bearer {token}"}
    for method in ("GET", "POST", "PUT", "DELETE"):
        answer = requests.request(method, address, headers=signed_in, timeout=10)
        assert answer.status_code == 404
        error = answer.json()["error"]
        assert error["code"] == "NotImplementedByLocalWorkspace"
        assert f"It has no service '{name}'" in error["message"]
    anonymous = requests.get(address, headers=headers, timeout=10)
    assert anonymous.status_code == 401
    assert anonymous.json()["error"]["code"] == "AuthenticationFailed"


def test_a_blob_of_such_a_path_is_a_blob(local_workspace, account, key, opened):
    opened.blobs.create_container(account, "nosuch")
    opened.blobs.put_bytes(account, "nosuch", "v1.0/file", b"content")
    url = opened.blob_url("nosuch", "v1.0/file")
    credential = {"account_name": account, "account_key": key}
    assert BlobClient.from_blob_url(url, credential=credential).download_blob().readall() == (
        b"content"
    )
    opened.blobs.delete_container(account, "nosuch")
