"""The key vault through the SDK."""

import json

import pytest
import requests
from azureml._restclient.exceptions import ServiceException
from azureml._restclient.models.credential_enums import KeyVaultContentType
from execution_helpers import json_of

from local_workspace.identity.tokens import TokenIssuer
from local_workspace.paths import Paths
from local_workspace.services.credential import records
from local_workspace.services.credential.encryption import Cipher
from local_workspace.services.credential.parsing import NewSecret
from local_workspace.settings import Settings
from local_workspace.store.tables.credential import SecretRow
from local_workspace.workspace import LocalWorkspace

VALUE = "correct-horse-battery-staple-7f3a"
ANOTHER = "zażółć-gęślą-jaźń-91c2"


@pytest.fixture
def vault(ws):
    """The workspace's key vault, empty after the test."""
    vault = ws.get_default_keyvault()
    yield vault
    vault.delete_secrets([found["name"] for found in vault.list_secrets()])


@pytest.fixture
def call(caller):
    return caller("/credential/v2.0{scope}")


def message_of(answer):
    return answer.json()["error"]["message"]


def test_set_get_change_list_delete(vault):
    vault.set_secret("storage-key", VALUE)
    assert vault.get_secret("storage-key") == VALUE
    vault.set_secret("storage-key", ANOTHER)
    assert vault.get_secret("storage-key") == ANOTHER
    vault.set_secret(name="empty", value="")
    assert vault.get_secret("empty") == ""
    assert vault.list_secrets() == [{"name": "empty"}, {"name": "storage-key"}]
    vault.delete_secret("storage-key")
    assert vault.list_secrets() == [{"name": "empty"}]
    with pytest.raises(ServiceException, match="'storage-key' was not found in the key vault"):
        vault.get_secret("storage-key")
    with pytest.raises(ServiceException, match="'storage-key' was not found in the key vault"):
        vault.delete_secret("storage-key")


def test_several_at_once(vault):
    vault.set_secrets({"one": VALUE, "Two": ANOTHER})
    assert vault.get_secrets(["one", "Two", "three"]) == {
        "one": VALUE,
        "Two": ANOTHER,
        "three": None,
    }
    vault.delete_secrets(["one", "Two"])
    assert vault.list_secrets() == []


def test_a_batch_is_kept_whole_or_not_at_all(vault):
    with pytest.raises(ServiceException, match="'under_score' cannot be the name of a secret"):
        vault.set_secrets({"good": VALUE, "under_score": VALUE})
    assert vault.list_secrets() == []


def test_several_are_deleted_in_one_request(vault, call):
    vault.set_secrets({"one": VALUE, "two": VALUE})
    body = {"secrets": [{"name": "one"}, {"name": "three"}]}
    assert call("POST", "/secrets:deletebatch", body).status_code == 200
    assert vault.list_secrets() == [{"name": "two"}]


def test_names_do_not_differ_by_case(vault):
    vault.set_secret("ApiKey", VALUE)
    vault.set_secret("APIKEY", ANOTHER)
    assert vault.get_secret("apikey") == ANOTHER
    assert vault.get_secrets(["apiKey"]) == {"apiKey": ANOTHER}
    assert vault.list_secrets() == [{"name": "ApiKey"}]


def test_content_type(vault):
    vault.set_secret("typed", VALUE, content_type=KeyVaultContentType.password)
    assert vault.get_secret_content_type("typed") == "application/vnd.ms-password"
    vault.set_secret("plain", VALUE)
    assert vault.get_secret_content_type("plain") == "application/NotProvided"


def test_more_names_than_a_page_holds(vault):
    names = [f"secret-{number:04}" for number in range(records.PAGE_SIZE + 3)]
    vault.set_secrets(dict.fromkeys(names, VALUE))
    assert [found["name"] for found in vault.list_secrets()] == names


@pytest.mark.parametrize("name", ["", "under_score", "with blank", "ü", "x" * 128, "a/b", "a.b"])
def test_a_name_that_cannot_be_one(vault, name):
    with pytest.raises(ServiceException, match="cannot be the name of a secret: use 1 to 127"):
        vault.set_secret(name, VALUE)


def test_a_value_that_is_too_long(vault, ws):
    vault.set_secret("long", "x" * 25600)
    with pytest.raises(ServiceException, match="has 25601 bytes; at most 25600") as raised:
        vault.set_secret("long", "y" * 25601)
    assert "yyy" not in str(raised.value)
    assert vault.get_secret("long") == "x" * 25600


@pytest.mark.parametrize(
    ("method", "path", "body", "says"),
    [
        ("PUT", "/secrets", None, "must be a JSON object with 'name' and 'value'"),
        ("PUT", "/secrets", [], "must be a JSON object"),
        ("PUT", "/secrets", {"name": "a"}, "must have a 'value' that is text"),
        ("PUT", "/secrets", {"name": "a", "value": 1}, "must have a 'value' that is text"),
        ("PUT", "/secrets", {"name": 1, "value": "b"}, "1 cannot be the name"),
        ("PUT", "/secrets", {"value": "b"}, "None cannot be the name"),
        ("PUT", "/secrets", {"name": "a", "value": "\ud800"}, "half of a character"),
        ("PUT", "/secrets", {"name": "a", "value": "b", "contentType": 3}, "'contentType'"),
        ("PUT", "/secrets", {"name": "a", "value": "b", "contentType": "x" * 256}, "'contentType'"),
        ("PUT", "/secrets", {"name": "a", "value": "b", "contentType": "\0"}, "'contentType'"),
        ("PUT", "/secrets:putbatch", {"secrets": "a"}, "'secrets', a list"),
        ("PUT", "/secrets:putbatch", {"secrets": ["a"]}, "must be a JSON object"),
        ("POST", "/secrets:getbatch", {"secrets": ["a"]}, "must be a JSON object with 'name'"),
        ("POST", "/secrets:getbatch", {"secrets": [{}] * 1001}, "at most 1000"),
        ("POST", "/secrets:deletebatch", [], "'secrets', a list"),
        ("GET", "/secrets/%00", None, "cannot be the name"),
        ("GET", "/secrets?continuationToken=_", None, "cannot be the name"),
        ("GET", "/secrets?systemSecret=true", None, "no system secrets"),
    ],
)
def test_a_request_that_makes_no_sense_is_answered_with_400(call, method, path, body, says):
    answer = call(method, path, body)
    assert answer.status_code == 400
    assert says in message_of(answer)


def test_a_reader_lists_names_and_reads_no_values(local_workspace, vault):
    vault.set_secret("guarded", VALUE)
    token, _ = TokenIssuer(local_workspace.settings).issue("https://localhost/", role="Reader")
    base = f"{local_workspace.origin}/credential/v2.0{local_workspace.settings.scope}/secrets"
    headers = {"Authorization": f"Bearer {token}"}
    listed = requests.get(base, headers=headers, timeout=10)
    assert listed.json()["value"] == [{"name": "guarded"}]
    refused = requests.get(f"{base}/guarded", headers=headers, timeout=10)
    assert refused.status_code == 403 and VALUE not in refused.text
    body = {"secrets": [{"name": "guarded"}]}
    batch = requests.post(f"{base}:getbatch", json=body, headers=headers, timeout=10)
    assert batch.status_code == 403 and VALUE not in batch.text


SCRIPT = """
import json, os
from azureml.core import Run
run = Run.get_context()
# Kept as lengths and pieces, so that no file of the run has a whole value.
several = run.get_secrets(["in-a-job", "with-letters", "not-there"])
os.makedirs("outputs", exist_ok=True)
json.dump(
    {
        "one": run.get_secret("in-a-job")[::-1],
        "several": {name: value and value[::-1] for name, value in several.items()},
    },
    open("outputs/seen.json", "w"),
)
"""


def test_a_job_reads_them_and_no_file_has_them(local_workspace, lab, vault, browser, tmp_path):
    vault.set_secrets({"in-a-job": VALUE, "with-letters": ANOTHER})
    run = lab.submit(SCRIPT)
    run.wait_for_completion()
    seen = json_of(run, "outputs/seen.json", tmp_path)
    assert seen["one"] == VALUE[::-1]
    assert seen["several"] == {
        "in-a-job": VALUE[::-1],
        "with-letters": ANOTHER[::-1],
        "not-there": None,
    }

    forms = [form for value in (VALUE, ANOTHER) for form in written_forms(value)]
    files = [path for path in local_workspace.root.rglob("*") if path.is_file()]
    assert local_workspace.paths.database in files and local_workspace.paths.server_log in files
    for path in files:
        content = path.read_bytes()
        assert not any(form in content for form in forms), path
    page = browser.get(f"/studio/runs/{run.id}")
    assert page.status_code == 200
    assert not any(form in page.content for form in forms)


def written_forms(value):
    return {value.encode(), json.dumps(value)[1:-1].encode()}


def test_what_is_kept_is_encrypted_with_a_key_of_the_workspace(workspace):
    cipher = Cipher(workspace.settings)
    with workspace.database.write() as session:
        records.set_secret(session, cipher, NewSecret("kept", VALUE))
    with workspace.database.read() as session:
        encrypted = session.get(SecretRow, "kept").encrypted_value
        assert VALUE not in encrypted
        assert records.get_secret(session, Cipher(workspace.settings), "kept").value == VALUE
        with pytest.raises(Exception, match=r"the key in workspace\.json is not the one"):
            records.get_secret(session, Cipher(Settings()), "kept")


def test_a_secret_does_not_show_its_value():
    secret = NewSecret("kept", VALUE)
    assert VALUE not in repr(secret)


def test_secrets_survive_a_restart(tmp_path):
    settings = Settings()
    settings.save(tmp_path / "workspace.json")
    first = LocalWorkspace(Paths(tmp_path), settings, 1)
    with first.database.write() as session:
        records.set_secret(session, Cipher(settings), NewSecret("kept", VALUE))
    first.close()
    again = LocalWorkspace(Paths(tmp_path), Settings.load(tmp_path / "workspace.json"), 1)
    with again.database.read() as session:
        assert records.get_secret(session, Cipher(again.settings), "kept").value == VALUE
    again.close()
