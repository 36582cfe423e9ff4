"""Signatures of blobs against those who tamper with them; every client's way of signing holds."""

import ssl
import string
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone
from urllib.parse import quote, unquote

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.storage.blob import (
    AccountSasPermissions,
    ContainerSasPermissions,
    ResourceTypes,
    generate_account_sas,
    generate_blob_sas,
    generate_container_sas,
)
from azureml._vendor.azure_storage.blob import BlobServiceClient as BlobServiceClientOfTheSdk
from blob_server import ACCOUNTS, MIB
from hypothesis import given, settings
from hypothesis import strategies as st

from local_workspace.clock import utc_now
from local_workspace.services.blob import sign_sas
from local_workspace.services.blob.sas import check_circumstances, signature, verify_sas
from local_workspace.store.blobs import BlobError

KEY = ACCOUNTS["first"]


@pytest.fixture(scope="module")
def server(server):
    """With the container `data` of three blobs."""
    container = server.client().create_container("data")
    container.upload_blob("page", b"content")
    container.upload_blob("folder/inside", b"inside")
    container.upload_blob("folders/outside", b"outside")
    return server


def get(server, path):
    """Status, headers and body of a plain GET, as a browser would send it."""
    context = ssl.create_default_context(cafile=server.ca_file)
    try:
        with urllib.request.urlopen(server.origin + path, context=context, timeout=10) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def parameters_of(sas):
    return dict(item.split("=", 1) for item in sas.split("&"))


def query_of(parameters):
    return "&".join(f"{name}={quote(unquote(value))}" for name, value in parameters.items())


def folder_sas(folder, permissions="rl"):
    """A SAS with sr=d for a folder of the container `data`; the client has no function for it."""
    expiry = (utc_now() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = "\n".join(
        [permissions, "", expiry, f"/blob/first/data/{folder}", "", "", "", "2021-12-02", "d"]
        + [""] * 7
    )
    sas = {"sv": "2021-12-02", "se": expiry, "sr": "d", "sp": permissions}
    depth = str(folder.count("/") + 1)
    return query_of({**sas, "sdd": depth, "sig": signature(KEY, text)})


def test_the_client_inside_the_sdk_signs_what_we_verify(server):
    credential = {"account_name": "first", "account_key": KEY}
    client = BlobServiceClientOfTheSdk(
        server.account_url("first"), credential=credential, connection_verify=str(server.ca_file)
    )
    container = client.create_container("sdk")
    data = bytes(range(256)) * 4096 * 5
    blob = container.get_blob_client("folder/ä b+c%")
    blob.upload_blob(data, metadata={"b": "2", "a_c": "1"}, max_concurrency=2)
    assert blob.download_blob(max_concurrency=2).readall() == data
    assert [found.name for found in container.list_blobs(name_starts_with="folder/ä")] == [
        "folder/ä b+c%"
    ]
    wrong = {"account_name": "first", "account_key": ACCOUNTS["second"]}
    stranger = BlobServiceClientOfTheSdk(
        server.account_url("first"), credential=wrong, connection_verify=str(server.ca_file)
    )
    with pytest.raises(Exception, match="signature is not of the key of 'first'"):
        stranger.get_blob_client("sdk", "folder/x").upload_blob(b"x")
    assert not container.get_blob_client("folder/x").exists()


def test_a_large_upload_with_a_wrong_key_gets_its_answer(server):
    client = server.client(key=ACCOUNTS["second"])
    with pytest.raises(ClientAuthenticationError) as caught:
        client.get_blob_client("data", "large").upload_blob(b"x" * (32 * MIB))
    assert caught.value.status_code == 403
    assert not server.store.exists("first", "data", "large")
    assert server.store.list("first", "data", "large").entries == []


def test_headers_that_nobody_signed_are_not_replaced(server):
    attack = "text/html"
    of_account = generate_account_sas(
        "first",
        KEY,
        ResourceTypes(object=True),
        AccountSasPermissions(read=True),
        utc_now() + timedelta(hours=1),
    )
    of_blob = sign_sas("first", KEY, "data", "page")
    for query in (f"{of_account}&rsct={attack}", f"{of_blob}&RSCT={attack}"):
        status, headers, body = get(server, f"/data/page?{query}")
        assert (status, body) == (200, "content")
        assert headers["Content-Type"] == "application/octet-stream"
    status, _, _ = get(server, f"/data/page?{of_blob}&rsct={attack}")
    assert status == 403
    signed = sign_sas("first", KEY, "data", "page", content_type="text/html")
    _, headers, _ = get(server, f"/data/page?{signed}")
    assert headers["Content-Type"] == "text/html"


def test_a_page_among_the_blobs_cannot_act_for_who_reads_it(server):
    signed = sign_sas("first", KEY, "data", "page", content_type="text/html")
    _, headers, _ = get(server, f"/data/page?{signed}")
    assert headers["Content-Security-Policy"] == "sandbox"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_folder_sas_reaches_its_folder_and_no_other(server):
    sas = folder_sas("folder")
    assert get(server, f"/data/folder/inside?{sas}")[::2] == (200, "inside")
    assert get(server, f"/data/folders/outside?{sas}")[0] == 403
    assert get(server, f"/data/page?{sas}")[0] == 403
    listing = f"/data?restype=container&comp=list&{sas}&prefix="
    status, _, body = get(server, f"{listing}folder/")
    assert status == 200
    assert "folder/inside" in body
    for prefix in ("", "folder", "folders/", "f"):
        status, _, body = get(server, listing + prefix)
        assert status == 403
        assert "outside" not in body


@pytest.mark.parametrize("depth", ["", "0", "2", "-1", "²", "x", "9" * 5000])
def test_a_folder_sas_of_a_strange_depth(server, depth):
    parameters = {**parameters_of(folder_sas("folder")), "sdd": depth}
    status, _, body = get(server, f"/data/folder/inside?{query_of(parameters)}")
    assert (status, "AuthenticationFailed" in body) == (403, True)


def test_a_value_of_two_lines_is_refused_even_if_signed(server):
    """The text that is signed is lines, so that such a value could be read as two others."""
    parameters = parameters_of(sign_sas("first", KEY, "data", "page", content_disposition="x"))
    assert get(server, f"/data/page?{query_of(parameters)}")[0] == 200
    parameters = parameters_of(sign_sas("first", KEY, "data", "page", content_disposition="x\ny"))
    status, _, body = get(server, f"/data/page?{query_of(parameters)}")
    assert (status, "line break" in body) == (403, True)


def test_a_key_is_compared_in_constant_time(server, monkeypatch):
    """Both ways of signing leave the comparison to `hmac.compare_digest`."""
    for module in ("signed_requests", "sas"):
        with monkeypatch.context() as patched:
            name = f"local_workspace.services.blob.{module}.hmac.compare_digest"
            patched.setattr(name, lambda *_: False)
            sas = sign_sas("first", KEY, "data", "page") if module == "sas" else ""
            with pytest.raises(ClientAuthenticationError):
                server.client(sas=sas).get_blob_client("data", "page").download_blob()


def test_signatures_do_not_reach_the_log(server, caplog):
    caplog.set_level("DEBUG")
    sas = sign_sas("first", KEY, "data", "page")
    assert get(server, f"/data/page?{sas}")[0] == 200
    assert get(server, f"/data/other?{sas}")[0] == 403
    ours = [r.getMessage() for r in caplog.records if r.name.startswith(("local_work", "uvicorn"))]
    assert not any(parameters_of(sas)["sig"] in message for message in ours)


ALPHABET = string.ascii_letters + string.digits + "/+=%-_:. \n"
NAMES = ["sv", "sp", "st", "se", "sr", "ss", "srt", "sip", "spr", "sdd", "sig", "si"]
NOW = datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0)


def verified(sas, container="data", blob=""):
    parameters = {name: unquote(value) for name, value in parameters_of(sas).items()}
    account, found = verify_sas(parameters, ACCOUNTS, container, blob)
    check_circumstances(parameters, "https", "127.0.0.1")
    return account, found


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(ACCOUNTS)),
    st.sets(st.sampled_from("racwdl"), min_size=1),
    st.integers(-5000, 5000).filter(lambda minutes: abs(minutes) > 2),
    st.one_of(st.none(), st.integers(-9000, 9000).filter(lambda minutes: abs(minutes) > 2)),
)
def test_what_the_client_signs_is_what_we_read(account, letters, expires, starts):
    """Account, letters and times of a SAS of the public client come out as they went in."""
    permissions = ContainerSasPermissions.from_string("".join(letters))
    now = datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0)
    sas = generate_container_sas(
        account,
        "data",
        account_key=ACCOUNTS[account],
        permission=permissions,
        expiry=now + timedelta(minutes=expires),
        start=None if starts is None else now + timedelta(minutes=starts),
    )
    holds = expires > 0 and (starts is None or starts < 0)
    try:
        found_account, found = verified(sas)
    except BlobError as error:
        assert (holds, error.code) == (False, "AuthenticationFailed")
    else:
        assert (holds, found_account, set(found.permissions)) == (True, account, letters)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_sas_with_anything_changed_is_refused(data):
    """Any other value of any parameter, another blob, and every parameter more or less."""
    sas = generate_blob_sas(
        "first",
        "data",
        "folder/blob",
        account_key=KEY,
        permission="r",
        expiry=NOW + timedelta(hours=1),
        start=NOW - timedelta(hours=1),
        ip="127.0.0.0-127.0.0.9",
        protocol="https",
        content_type="text/plain",
    )
    parameters = {name: unquote(value) for name, value in parameters_of(sas).items()}
    assert verify_sas(parameters, ACCOUNTS, "data", "folder/blob")[0] == "first"
    name = data.draw(st.sampled_from([*parameters, "si", "ses", "rscc", "rscd", "rsce", "rscl"]))
    value = data.draw(st.one_of(st.none(), st.text(ALPHABET, max_size=40)))
    changed = {**parameters, name: value or ""}
    if changed.get(name) == parameters.get(name, ""):
        return
    with pytest.raises(BlobError) as caught:
        verify_sas(changed, ACCOUNTS, "data", "folder/blob")
    assert caught.value.status == 403


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), st.text()))
def test_no_sas_is_an_accident(parameters):
    """Whatever the parameters are, the answer is that they are no signature."""
    with pytest.raises(BlobError) as caught:
        verify_sas(parameters, ACCOUNTS, "data", "blob")
    assert (caught.value.status, caught.value.code) == (403, "AuthenticationFailed")
