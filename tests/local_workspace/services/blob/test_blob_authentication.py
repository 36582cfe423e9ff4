"""Who may do what with blobs: account keys, shared access signatures, and nobody else."""

import base64
import email.utils
import ssl
import urllib.error
import urllib.request
from datetime import timedelta
from types import SimpleNamespace

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.storage.blob import (
    AccountSasPermissions,
    BlobSasPermissions,
    ContainerSasPermissions,
    ResourceTypes,
    generate_account_sas,
    generate_blob_sas,
    generate_container_sas,
)
from blob_server import ACCOUNTS, code_of

from local_workspace.clock import utc_now
from local_workspace.services.blob import sign_sas
from local_workspace.services.blob.sas import parse_time
from local_workspace.services.blob.signed_requests import string_to_sign
from local_workspace.store.blobs import BlobError

SOON = timedelta(hours=1)
OTHER_KEY = base64.b64encode(b"a key that no account has" * 2).decode()


@pytest.fixture
def container(container):
    """A container of this test's own with the blob `data`."""
    container.upload_blob("data", b"content")
    return container


@pytest.fixture
def with_sas(server, container):
    """The container through a SAS."""
    return lambda sas: server.client(sas=sas).get_container_client(container.container_name)


def refused(call):
    """Status and code of a call that must fail."""
    with pytest.raises(HttpResponseError) as caught:
        call()
    return caught.value.status_code, code_of(caught)


def container_sas(container, permissions, *, key=ACCOUNTS["first"], **options):
    options.setdefault("expiry", utc_now() + SOON)
    return generate_container_sas(
        "first",
        container.container_name,
        account_key=key,
        permission=ContainerSasPermissions.from_string(permissions),
        **options,
    )


def get(server, path, headers=None):
    """Status and body of a plain GET without any client."""
    request = urllib.request.Request(server.origin + path, headers=headers or {})
    context = ssl.create_default_context(cafile=server.ca_file)
    try:
        with urllib.request.urlopen(request, context=context, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_wrong_key_neither_reads_nor_writes(server, container):
    client = server.client(key=OTHER_KEY)
    other = client.get_container_client(container.container_name)
    with pytest.raises(ClientAuthenticationError) as caught:
        other.download_blob("data")
    assert (caught.value.status_code, code_of(caught)) == (403, "AuthenticationFailed")
    assert "the key of 'first'" in caught.value.message
    assert refused(lambda: other.upload_blob("new", b"x")) == (403, "AuthenticationFailed")
    assert not container.get_blob_client("new").exists()


def test_the_key_of_another_account(server, container):
    client = server.client(key=ACCOUNTS["second"])
    call = client.get_container_client(container.container_name).get_blob_client("data")
    assert refused(call.download_blob) == (403, "AuthenticationFailed")


def test_nobody_reads_without_a_credential(server, container):
    for path in ("/", f"/{container.container_name}/data"):
        status, body = get(server, path)
        assert status == 401
        assert "NoAuthenticationInformation" in body and "no anonymous access" in body


@pytest.mark.parametrize(
    "authorization", ["Bearer token", "SharedKey", "SharedKey first", "SharedKeyLite first:x"]
)
def test_other_schemes_are_refused_with_a_hint(server, container, authorization):
    status, body = get(
        server, f"/{container.container_name}/data", {"Authorization": authorization}
    )
    assert status == 401
    assert "SharedKey account:signature" in body


def test_an_old_request_is_not_taken_again(server, container):
    date = email.utils.format_datetime(utc_now() - timedelta(minutes=20), usegmt=True)
    headers = {"Authorization": "SharedKey first:c2ln", "x-ms-date": date}
    status, body = get(server, f"/{container.container_name}/data", headers)
    assert (status, "Request date header too old" in body) == (403, True)


def test_a_request_without_a_date_is_refused(server, container):
    headers = {"Authorization": "SharedKey first:c2ln"}
    status, body = get(server, f"/{container.container_name}/data", headers)
    assert (status, "has no date" in body) == (403, True)


def test_a_container_sas_allows_what_its_letters_say(container, with_sas):
    reader = with_sas(container_sas(container, "rl"))
    assert reader.download_blob("data").readall() == b"content"
    assert [blob.name for blob in reader.list_blobs()] == ["data"]
    denied = (403, "AuthorizationPermissionMismatch")
    assert refused(lambda: reader.upload_blob("data", b"x", overwrite=True)) == denied
    assert refused(lambda: reader.delete_blob("data")) == denied
    writer = with_sas(container_sas(container, "w"))
    writer.upload_blob("data", b"new", overwrite=True)
    assert refused(lambda: writer.download_blob("data")) == denied
    assert refused(lambda: list(writer.list_blobs())) == denied
    assert container.download_blob("data").readall() == b"new"


def test_create_alone_makes_new_blobs_only(container, with_sas):
    creator = with_sas(container_sas(container, "c"))
    creator.upload_blob("new", b"1")
    assert refused(lambda: creator.upload_blob("data", b"x", overwrite=True)) == (
        403,
        "UnauthorizedBlobOverwrite",
    )
    assert container.download_blob("data").readall() == b"content"


def test_add_alone_appends_only(container, with_sas):
    container.get_blob_client("log").create_append_blob()
    appender = with_sas(container_sas(container, "a")).get_blob_client("log")
    appender.append_block(b"line\n")
    assert container.download_blob("log").readall() == b"line\n"
    assert refused(appender.create_append_blob) == (403, "AuthorizationPermissionMismatch")


def test_a_container_sas_does_not_reach_other_containers(
    server, container, new_container, with_sas
):
    other = new_container()
    other.upload_blob("data", b"other")
    sas = container_sas(container, "racwdl")
    elsewhere = server.client(sas=sas).get_container_client(other.container_name)
    assert refused(lambda: elsewhere.download_blob("data")) == (403, "AuthenticationFailed")
    container_itself = with_sas(sas)
    assert refused(container_itself.delete_container)[0] == 403
    assert container.exists()


def test_a_blob_sas_reaches_one_blob(server, container, with_sas):
    container.upload_blob("other", b"x")
    sas = generate_blob_sas(
        "first",
        container.container_name,
        "data",
        account_key=ACCOUNTS["first"],
        permission=BlobSasPermissions(read=True),
        expiry=utc_now() + SOON,
    )
    reader = with_sas(sas)
    assert reader.download_blob("data").readall() == b"content"
    assert refused(lambda: reader.download_blob("other")) == (403, "AuthenticationFailed")
    assert refused(lambda: list(reader.list_blobs()))[0] == 403


@pytest.mark.parametrize(
    ("types", "permissions", "allowed"),
    [
        (ResourceTypes(object=True), "r", {"read"}),
        (ResourceTypes(container=True), "rl", {"list"}),
        (ResourceTypes(service=True), "l", {"containers"}),
        (ResourceTypes(True, True, True), "rl", {"read", "list", "containers"}),
    ],
)
def test_an_account_sas_allows_its_kinds_of_resources(
    server, container, with_sas, types, permissions, allowed
):
    sas = generate_account_sas(
        "first",
        ACCOUNTS["first"],
        types,
        AccountSasPermissions.from_string(permissions),
        utc_now() + SOON,
    )
    reader = with_sas(sas)
    calls = {
        "read": lambda: reader.download_blob("data").readall(),
        "list": lambda: list(reader.list_blobs()),
        "containers": lambda: list(server.client(sas=sas).list_containers()),
    }
    for name, call in calls.items():
        if name in allowed:
            assert call()
        else:
            assert refused(call) == (403, "AuthorizationResourceTypeMismatch")


def test_a_sas_made_with_another_key(container, with_sas):
    forged = with_sas(container_sas(container, "racwdl", key=OTHER_KEY))
    assert refused(lambda: forged.download_blob("data")) == (403, "AuthenticationFailed")
    assert refused(lambda: forged.upload_blob("new", b"x")) == (403, "AuthenticationFailed")
    assert not container.get_blob_client("new").exists()


def test_letters_added_to_a_sas_break_it(container, with_sas):
    sas = container_sas(container, "r")
    assert "sp=r&" in sas
    stretched = with_sas(sas.replace("sp=r&", "sp=racwdl&"))
    assert refused(lambda: stretched.delete_blob("data")) == (403, "AuthenticationFailed")
    later = with_sas(sas.replace("se=20", "se=21"))
    assert refused(lambda: later.download_blob("data")) == (403, "AuthenticationFailed")
    assert container.get_blob_client("data").exists()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"expiry": utc_now() - SOON}, "it expired at"),
        ({"start": utc_now() + SOON, "expiry": utc_now() + 2 * SOON}, "it starts at"),
        ({"ip": "10.0.0.1"}, "source IP"),
        ({"ip": "10.0.0.1-10.0.0.9"}, "source IP"),
        ({"protocol": "http"}, "protocol"),
    ],
)
def test_circumstances_of_a_sas(container, with_sas, options, expected):
    reader = with_sas(container_sas(container, "r", **options))
    with pytest.raises(HttpResponseError) as caught:
        reader.download_blob("data")
    assert caught.value.status_code == 403
    assert expected in caught.value.message


@pytest.mark.parametrize(
    "options",
    [{"ip": "127.0.0.1"}, {"ip": "127.0.0.0-127.0.0.9"}, {"protocol": "https"}],
)
def test_circumstances_that_hold(container, with_sas, options):
    reader = with_sas(container_sas(container, "r", **options))
    assert reader.download_blob("data").readall() == b"content"


def test_a_stored_access_policy_does_not_exist_here(container, with_sas):
    reader = with_sas(container_sas(container, "r", policy_id="policy"))
    with pytest.raises(HttpResponseError) as caught:
        reader.download_blob("data")
    assert "no stored access policies" in caught.value.message


def test_our_own_signatures_are_those_of_azure(container, with_sas):
    sas = sign_sas("first", ACCOUNTS["first"], container.container_name, "data", "r")
    assert with_sas(sas).download_blob("data").readall() == b"content"
    sas = sign_sas("first", ACCOUNTS["first"], container.container_name, permissions="rl")
    assert [blob.name for blob in with_sas(sas).list_blobs()] == ["data"]


def test_a_sas_names_the_file_for_a_browser(server, container):
    sas = sign_sas(
        "first",
        ACCOUNTS["first"],
        container.container_name,
        "data",
        "r",
        content_disposition='attachment; filename="a b.txt"',
        content_type="text/plain",
    )
    context = ssl.create_default_context(cafile=server.ca_file)
    url = f"{server.origin}/{container.container_name}/data?{sas}"
    with urllib.request.urlopen(url, context=context, timeout=10) as answer:
        assert answer.headers["Content-Disposition"] == 'attachment; filename="a b.txt"'
        assert answer.headers["Content-Type"] == "text/plain"
        assert answer.read() == b"content"


def test_a_copy_needs_the_right_to_read_its_source(container, new_container):
    theirs = new_container("second")
    secret = theirs.upload_blob("secret", b"secret")
    target = container.get_blob_client("copy")
    assert refused(lambda: target.start_copy_from_url(secret.url)) == (
        403,
        "CannotVerifyCopySource",
    )
    assert not target.exists()
    sas = sign_sas("second", ACCOUNTS["second"], theirs.container_name, "secret", "r")
    target.start_copy_from_url(f"{secret.url}?{sas}")
    assert target.download_blob().readall() == b"secret"
    assert "sig=" not in target.get_blob_properties().copy.source


def test_what_is_signed_names_everything_that_matters():
    request = SimpleNamespace(
        method="PUT",
        raw_path="/container/a%20b",
        parameters=[("comp", "block"), ("blockid", "MDAx"), ("timeout", "30")],
        headers={
            "content-length": "5",
            "content-type": "text/plain",
            "x-ms-date": "Mon, 02 Jan 2023 03:04:05 GMT",
            "x-ms-version": "2021-12-02",
            "date": "ignored when x-ms-date is there",
        },
    )
    request.header = lambda name: request.headers.get(name, "")
    # The form of "Authorize with Shared Key": method, eleven headers, x-ms- headers, resource.
    assert string_to_sign(request, "first") == (
        "PUT\n\n\n5\n\ntext/plain\n\n\n\n\n\n\n"
        "x-ms-date:Mon, 02 Jan 2023 03:04:05 GMT\n"
        "x-ms-version:2021-12-02\n"
        "/first/container/a%20b\nblockid:MDAx\ncomp:block\ntimeout:30"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2030-01-02", "2030-01-02T00:00:00+00:00"),
        ("2030-01-02T03:04Z", "2030-01-02T03:04:00+00:00"),
        ("2030-01-02T03:04:05Z", "2030-01-02T03:04:05+00:00"),
        ("2030-01-02T03:04:05.1234567Z", "2030-01-02T03:04:05+00:00"),
    ],
)
def test_times_of_a_sas(text, expected):
    assert parse_time(text).isoformat() == expected


@pytest.mark.parametrize("text", ["", "tomorrow", "2030-13-01", "2030-01-02T03:04:05+02:00"])
def test_times_that_are_none(text):
    with pytest.raises(BlobError) as caught:
        parse_time(text)
    assert caught.value.status == 403
