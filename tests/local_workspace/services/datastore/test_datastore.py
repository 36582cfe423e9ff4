"""Datastores through the SDK: registering, checking, listing, the default one."""

import threading
from datetime import timedelta

import pytest
from azure.storage.blob import (
    AccountSasPermissions,
    ResourceTypes,
    generate_account_sas,
)
from azureml.core import Dataset, Datastore
from azureml.exceptions import UserErrorException

from local_workspace.clock import utc_now
from local_workspace.services.blob import sign_sas

OTHER_KEY = "b3RoZXIh" * 11
BUILT_IN = [
    "workspaceartifactstore",
    "workspaceblobstore",
    "workspacefilestore",
    "workspaceworkingdirectory",
]


@pytest.fixture
def register(ws, account, key):
    """Register a container of the workspace's account with its key, unless told otherwise."""

    def call(name, container, **options):
        options.setdefault("account_name", account)
        if "sas_token" not in options:
            options.setdefault("account_key", key)
        options.setdefault("create_if_not_exists", True)
        return Datastore.register_azure_blob_container(ws, name, container, **options)

    return call


@pytest.fixture
def send(caller):
    """Requests that the SDK would not send."""
    return caller("/datastore/v1.0{scope}")


@pytest.fixture
def restore_default(ws):
    yield
    ws.set_default_datastore("workspaceblobstore")


def round_trip(datastore, folder, text="a,b\n1,x\n2,y\n"):
    """Write a file through both clients and read it back through both."""
    folder.mkdir()
    (folder / "data.csv").write_text(text)
    Dataset.File.upload_directory(str(folder), (datastore, "native"), show_progress=False)
    datastore.upload(str(folder), "python", show_progress=False)
    for path in ("native", "python"):
        frame = Dataset.Tabular.from_delimited_files((datastore, path)).to_pandas_dataframe()
        assert frame.to_dict("list") == {"a": [1, 2], "b": ["x", "y"]}
    assert datastore.download(str(folder / "back"), show_progress=False) == 2
    assert (folder / "back" / "native" / "data.csv").read_text() == text
    assert (folder / "back" / "python" / "data.csv").read_text() == text


def test_what_azure_makes(ws, local_workspace, account, key):
    workspace_id = local_workspace.settings.workspace_id
    assert set(BUILT_IN) <= set(ws.datastores)
    default = ws.get_default_datastore()
    assert default.name == "workspaceblobstore"
    assert default.datastore_type == "AzureBlob"
    assert default.container_name == f"azureml-blobstore-{workspace_id}"
    assert (default.account_name, default.account_key) == (account, key)
    assert default.endpoint == f"core.x@localhost:{local_workspace.settings.port}"
    assert default.protocol == "https"
    artifacts = Datastore.get(ws, "workspaceartifactstore")
    assert artifacts.container_name == "azureml"
    for name in ("workspacefilestore", "workspaceworkingdirectory"):
        assert Datastore.get(ws, name).datastore_type == "AzureFile"


def test_register_with_the_key_then_write_and_read(ws, register, account, key, tmp_path):
    made = register("with_key", "with-key")
    assert (made.name, made.container_name) == ("with_key", "with-key")
    found = Datastore.get(ws, "with_key")
    assert (found.account_name, found.account_key) == (account, key)
    assert found.sas_token is None and found.credential_type == "AccountKey"
    round_trip(found, tmp_path / "files")


def test_register_with_a_container_sas_then_write_and_read(ws, register, account, key, tmp_path):
    register("with_sas_first", "with-sas")
    sas = sign_sas(account, key, "with-sas", permissions="racwdl")
    found = register("with_sas", "with-sas", sas_token=sas, create_if_not_exists=False)
    assert (found.sas_token, found.account_key) == (sas, None)
    assert found.credential_type == "Sas"
    round_trip(found, tmp_path / "files")


def test_register_with_an_account_sas_that_makes_the_container(register, account, key, tmp_path):
    sas = generate_account_sas(
        account,
        key,
        resource_types=ResourceTypes(container=True, object=True),
        permission=AccountSasPermissions(
            read=True, write=True, list=True, create=True, add=True, delete=True
        ),
        expiry=utc_now() + timedelta(hours=1),
    )
    found = register("with_account_sas", "with-account-sas", sas_token="?" + sas)
    round_trip(found, tmp_path / "files")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"account_key": OTHER_KEY}, "not the key of this account.*AZURE_STORAGE_KEY"),
        ({"account_key": "not a key!"}, "not base64"),
        ({"account_name": "nobody"}, "no storage account 'nobody'"),
    ],
)
def test_wrong_account_or_key_is_said_at_registration(ws, register, given, says):
    with pytest.raises(UserErrorException, match=f"(?s)Authentication failed.*wrong.*{says}"):
        register("wrong", "wrong-key", **given)
    assert "wrong" not in ws.datastores
    # The container was not made either, and nothing secret is in the message.
    with pytest.raises(Exception, match="does not exist"):
        register("wrong", "wrong-key", create_if_not_exists=False)


def test_a_wrong_key_is_not_repeated_in_the_message(register):
    with pytest.raises(UserErrorException) as caught:
        register("wrong", "wrong-key", account_key=OTHER_KEY)
    assert OTHER_KEY not in str(caught.value)


def test_wrong_sas(register, account, key):
    register("sas_base", "sas-base")

    def sas(
        container="sas-base", blob=None, permissions="racwdl", expiry=timedelta(hours=1), k=key
    ):
        return sign_sas(account, k, container, blob, permissions, expiry)

    wrong = {
        "no signature": "sv=2021-12-02&sr=c",
        "none of the storage accounts": sas(container="another"),
        "storage accounts of this workspace": sas(k=OTHER_KEY),
        "expired at": sas(expiry=timedelta(hours=-1)),
        "lacks the permission List": sas(permissions="r"),
        "lacks the permission Read": sas(permissions="wl"),
        r"SAS does not hold": sas(blob="one.csv"),
    }
    for says, token in wrong.items():
        with pytest.raises(
            UserErrorException, match=f"(?s)Authentication failed.*{says}"
        ) as caught:
            register("wrong_sas", "sas-base", sas_token=token)
        assert "Authorization header" not in str(caught.value)
        if "sig=" in token:
            assert token.partition("sig=")[2] not in str(caught.value)
    with pytest.raises(UserErrorException, match="must not create containers"):
        register("wrong_sas", "sas-new", sas_token=sas(container="sas-new"))
    narrow = generate_account_sas(
        account,
        key,
        resource_types=ResourceTypes(object=True),
        permission=AccountSasPermissions(read=True, list=True),
        expiry=utc_now() + timedelta(hours=1),
    )
    with pytest.raises(UserErrorException, match="srt=co"):
        register("wrong_sas", "sas-base", sas_token=narrow)


def test_no_credential(ws, account):
    with pytest.raises(UserErrorException, match="pass account_key"):
        Datastore.register_azure_blob_container(ws, "nothing", "nothing", account)


def test_missing_container(ws, register):
    with pytest.raises(Exception, match=r"'not-there' does not exist.*create_if_not_exists=True"):
        register("missing", "not-there", create_if_not_exists=False)
    assert "missing" not in ws.datastores


def test_skip_validation_registers_unchecked(ws, register):
    found = register(
        "unchecked",
        "unchecked",
        account_key=OTHER_KEY,
        skip_validation=True,
        create_if_not_exists=False,
    )
    assert found.account_key == OTHER_KEY
    with pytest.raises(Exception, match=r"(?i)authenticate"):
        found.download("unused", show_progress=False)
    # What has to be made needs a credential that holds.
    with pytest.raises(UserErrorException, match="not the key"):
        register("unchecked2", "unchecked", account_key=OTHER_KEY, skip_validation=True)


def test_storage_elsewhere_is_kept_as_given_but_never_contacted(register):
    elsewhere = {"endpoint": "core.example", "account_name": "elsewhere", "account_key": OTHER_KEY}
    with pytest.raises(UserErrorException, match="makes no connection"):
        register("elsewhere", "elsewhere", **elsewhere)
    found = register("elsewhere", "elsewhere", skip_validation=True, **elsewhere)
    assert (found.endpoint, found.account_name) == ("core.example", "elsewhere")
    found.unregister()


@pytest.mark.parametrize("name", ["with-hyphen", "with space", "ümlaut", "x" * 256, "a.b", "a/b"])
def test_names_that_cannot_be(register, name):
    with pytest.raises(UserErrorException, match="letters, digits and underscores"):
        register(name, "names")


@pytest.mark.parametrize(
    "container", ["ab", "Capital", "under_score", "two--hyphens", "-x-", "x" * 64]
)
def test_container_names_that_cannot_be(register, container):
    with pytest.raises(Exception, match="3 to 63 characters"):
        register("container_names", container)


def test_names_do_not_differ_by_case(ws, register):
    made = register("MixedCase", "mixed-case")
    assert made.name == "mixedcase"
    assert Datastore.get(ws, "MIXEDCASE").name == "mixedcase"
    assert "mixedcase" in ws.datastores
    with pytest.raises(UserErrorException, match="same name already exists"):
        register("mixedCASE", "mixed-case")
    assert register("x" * 255, "mixed-case").name == "x" * 255


def test_overwrite(ws, register, tmp_path):
    register("twice", "twice-one")
    with pytest.raises(UserErrorException, match="Another datastore with the same name"):
        register("twice", "twice-two")
    # The refused one left no container.
    with pytest.raises(Exception, match="does not exist"):
        register("twice_two", "twice-two", create_if_not_exists=False)
    found = register("twice", "twice-two", overwrite=True)
    assert found.container_name == "twice-two"
    assert Datastore.get(ws, "twice").container_name == "twice-two"
    assert register("first_time", "twice-two", overwrite=True).name == "first_time"
    with pytest.raises(UserErrorException, match="not the key"):
        register("twice", "twice-two", overwrite=True, account_key=OTHER_KEY)
    assert Datastore.get(ws, "twice").account_key != OTHER_KEY


def test_the_default(ws, register, restore_default):
    chosen = register("chosen", "chosen")
    assert ws.get_default_datastore().name == "workspaceblobstore"
    chosen.set_as_default()
    assert ws.get_default_datastore().name == "chosen"
    with pytest.raises(UserErrorException, match=r"default datastore 'chosen' cannot be deleted"):
        chosen.unregister()
    with pytest.raises(UserErrorException, match="Could not find the datastore 'no_such'"):
        ws.set_default_datastore("no_such")
    with pytest.raises(Exception, match="file share"):
        ws.set_default_datastore("workspacefilestore")
    assert ws.get_default_datastore().name == "chosen"
    ws.set_default_datastore("WorkspaceBlobStore")
    assert ws.get_default_datastore().name == "workspaceblobstore"
    chosen.unregister()
    assert "chosen" not in ws.datastores


def test_unregister_leaves_the_data(ws, register, tmp_path):
    first = register("short_lived", "short-lived")
    (tmp_path / "file.txt").write_text("stays")
    first.upload_files([str(tmp_path / "file.txt")], show_progress=False)
    first.unregister()
    with pytest.raises(UserErrorException, match="Could not find the datastore 'short_lived'"):
        Datastore.get(ws, "short_lived")
    again = register("short_lived_again", "short-lived", create_if_not_exists=False)
    assert again.download(str(tmp_path / "back"), show_progress=False) == 1
    assert (tmp_path / "back" / "file.txt").read_text() == "stays"


@pytest.mark.parametrize("name", BUILT_IN)
def test_what_the_workspace_stands_on_stays(ws, register, name):
    with pytest.raises(UserErrorException, match=r"belongs to the workspace|default datastore"):
        Datastore.get(ws, name).unregister()
    with pytest.raises(UserErrorException, match="container cannot be changed"):
        register(name, "elsewhere-else", overwrite=True)


def test_sync_keys_gives_the_workspaces_own_datastores_its_key_again(ws, register, account, key):
    container = Datastore.get(ws, "workspaceblobstore").container_name
    register("sync_mine", "sync-mine")
    for name, of in (("workspaceblobstore", container), ("sync_mine", "sync-mine")):
        sas = sign_sas(account, key, of, permissions="racwdl")
        register(name, of, sas_token=sas, overwrite=True, create_if_not_exists=False)
        assert Datastore.get(ws, name).account_key is None
    ws.sync_keys()
    store = Datastore.get(ws, "workspaceblobstore")
    assert (store.sas_token, store.account_key) == (None, key)
    assert Datastore.get(ws, "sync_mine").sas_token == sas


def test_deleting_twice_is_no_error(send, register):
    register("gone", "gone")
    assert send("DELETE", "/datastores/gone").status_code == 200
    assert send("DELETE", "/datastores/gone").status_code == 204


def test_list_over_pages(ws, register, send, key):
    for number in range(35):
        register(f"page_{number:02}", "pages")
    assert {f"page_{number:02}" for number in range(35)} <= set(ws.datastores)
    names, token = [], None
    while True:
        page = send("GET", "/datastores", params={"count": 10, "continuationToken": token}).json()
        assert 0 < len(page["value"]) <= 10
        names += [entry["name"] for entry in page["value"]]
        token = page["continuationToken"]
        if token is None:
            break
    assert names == sorted(set(names)) and set(names) >= set(BUILT_IN)
    some = send("GET", "/datastores", params={"dataStoreNames": "page_01,PAGE_02"}).json()["value"]
    assert [entry["name"] for entry in some] == ["page_01", "page_02"]
    assert send("GET", "/datastores?count=0").status_code == 400


def test_secrets_only_when_asked_for(send, register, key, account):
    sas = sign_sas(account, key, "secrets", permissions="rl")
    register("secrets", "secrets")
    register("secrets_sas", "secrets", sas_token=sas)
    without = send("GET", "/datastores", params={"includeSecret": "false", "count": 100}).text
    assert key not in without and "sig=" not in without
    assert key not in send("GET", "/datastores/secrets?includeSecret=false").text
    everything = send("GET", "/datastores", params={"includeSecret": "true", "count": 100}).text
    assert key in everything and sas in everything


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "x",
        {},
        {"name": "x"},
        {"name": 3, "dataStoreType": "AzureBlob"},
        {"name": "x", "dataStoreType": "AzureBlob"},
        {"name": "x", "dataStoreType": "AzureBlob", "azureStorageSection": []},
        {"name": "x", "dataStoreType": "AzureBlob", "azureStorageSection": {"accountName": 1}},
        {"name": "x", "dataStoreType": "Nothing"},
    ],
)
def test_bodies_that_make_no_sense(send, body):
    answer = send("POST", "/datastores", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]
    assert send("GET", "/datastores/x").status_code == 404


def test_http_is_not_spoken(register):
    with pytest.raises(UserErrorException, match="https only"):
        register("plain", "plain", protocol="http")


def test_many_register_the_same_name_at_once(register):
    results = []

    def call():
        try:
            results.append(register("crowd", "crowd").name)
        except UserErrorException as error:
            results.append("same name already exists" in str(error))

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, results)) == ["True"] * 7 + ["crowd"]


def test_it_survives_a_crash(ws, register, local_workspace, restore_default):
    register("durable", "durable").set_as_default()
    local_workspace.kill()
    local_workspace.start(local_workspace.settings.port)
    assert ws.get_default_datastore().name == "durable"
    assert Datastore.get(ws, "durable").container_name == "durable"
