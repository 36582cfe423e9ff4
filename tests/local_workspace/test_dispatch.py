"""Who answers: the kind of a request decides, and only then the first segment of its path."""

import http.client
import ssl

import pytest
import requests
from azure.core.credentials import AzureNamedKeyCredential
from azure.storage.blob import BlobServiceClient

from local_workspace.dot_segments import without_dots
from local_workspace.service import owners
from local_workspace.services.blob import sign_sas
from local_workspace.startup import SERVICES

NAMES = sorted(name for name in owners(SERVICES) if len(name) >= 3)


@pytest.fixture(scope="module")
def storage(local_workspace):
    settings = local_workspace.settings
    return BlobServiceClient(
        f"https://{settings.storage_account}.blob.x@localhost:{settings.port}",
        credential=AzureNamedKeyCredential(settings.storage_account, settings.storage_key),
        retry_total=0,
    )


@pytest.fixture
def raw(local_workspace):
    """Sends a request with its path as it is; urllib3 would resolve the dots itself."""
    context = ssl.create_default_context(
        cafile=str(local_workspace.paths.certificates / "authority.pem")
    )

    def send(method, target, headers=None, body=None):
        port = local_workspace.settings.port
        connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=60)
        connection.request(method, target, body, headers or {})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, content

    return send


@pytest.mark.parametrize("name", NAMES)
def test_a_container_may_be_called_as_a_service_is(local_workspace, storage, account, key, name):
    container = storage.create_container(name)
    container.upload_blob("v1.0/a.txt", b"by key")
    assert container.download_blob("v1.0/a.txt").readall() == b"by key"
    assert [blob.name for blob in container.list_blobs()] == ["v1.0/a.txt"]
    # With a SAS, without any header of a storage client: a link that somebody follows.
    sas = sign_sas(account, key, name, "v1.0/a.txt", "r")
    answer = requests.get(f"{local_workspace.origin}/{name}/v1.0/a.txt?{sas}")
    assert (answer.status_code, answer.content) == (200, b"by key")
    container.delete_container()


def test_services_answer_whoever_has_a_token(caller, storage):
    storage.create_container("history")
    call = caller("/history/v1.0{scope}")
    assert call("POST", "/experiments/dispatched").json()["name"] == "dispatched"
    storage.delete_container("history")


def test_dot_segments_vanish_before_a_name_is_read(storage, account, key, raw):
    storage.create_container("dots")
    sas = sign_sas(account, key, "dots", "a/b.txt", "rcw")
    put = {"x-ms-blob-type": "BlockBlob"}
    assert raw("PUT", f"/dots/./a/./b.txt?{sas}", put, b"text")[0] == 201
    for path in ("/dots/a/b.txt", "/./dots/a/b.txt", "/dots/a/x/../b.txt", "/dots/%2E/a/%2e/b.txt"):
        assert raw("GET", f"{path}?{sas}") == (200, b"text")
    assert [blob.name for blob in storage.get_container_client("dots").list_blobs()] == ["a/b.txt"]


@pytest.mark.parametrize(
    "path", ["/dots2/../secret/x", "/dots2/%2e%2e/secret/x", "/..", "/dots2/.."]
)
def test_dots_never_lead_out_of_a_container(account, key, raw, path):
    sas = sign_sas(account, key, "dots2", "", "rcwl")
    status, content = raw("GET", f"{path}?{sas}", {"x-ms-version": "2021-12-02"})
    assert status == 400 and b".." in content


def test_dots_in_the_address_of_an_artifact(caller, local_workspace, token, raw):
    call = caller("/artifact/v2.0{scope}/artifacts")
    assert call("POST", "/content/ExperimentRun/dcid.dots/a.txt", data=b"text").status_code == 200
    base = f"/artifact/v2.0{local_workspace.settings.scope}/artifacts"
    bearer = {"Authorization": f"Bearer {token}"}
    for path in ("dcid.dots/./a.txt", "./dcid.dots/./a.txt", "dcid.dots/b/../a.txt"):
        assert raw("GET", f"{base}/content/ExperimentRun/{path}", bearer) == (200, b"text")
    # Nor do they lead past the door.
    assert raw("GET", f"/msi/../{base}/content/ExperimentRun/dcid.dots/a.txt")[0] == 400
    assert raw("GET", f"/studio/..{base}/content/ExperimentRun/dcid.dots/a.txt")[0] == 400
    assert raw("GET", f"/.{base}/content/ExperimentRun/dcid.dots/a.txt")[0] == 401


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a//b", "/a//b"),
        ("/a/.hidden/b..", "/a/.hidden/b.."),
        ("/a/./b", "/a/b"),
        ("/a/b/.", "/a/b/"),
        ("/a/b/..", "/a/"),
        ("/a/b/../c", "/a/c"),
        ("/a/b//../c", "/a/b/c"),
        ("/.", "/"),
        ("/./a", "/a"),
    ],
)
def test_paths_without_dots(path, expected):
    assert without_dots(path) == expected


@pytest.mark.parametrize("path", ["/..", "/a/..", "/a/../b", "/a/b/../../c", "/./a/./../b"])
def test_paths_that_lead_out(path):
    with pytest.raises(ValueError, match="leads out"):
        without_dots(path)
