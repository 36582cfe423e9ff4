"""What a client may send is bounded, and more tightly before it has shown who it is."""

import json
import socket
import ssl

import pytest
import requests

from local_workspace.connection import MAX_HEAD
from local_workspace.http import MAX_BODY, MAX_BODY_WITHOUT_TOKEN


@pytest.fixture
def connect(local_workspace):
    """Makes connections to the server for bytes that no HTTP client would send."""
    context = ssl.create_default_context(
        cafile=str(local_workspace.paths.certificates / "authority.pem")
    )
    opened = []

    def make():
        plain = socket.create_connection(("localhost", local_workspace.settings.port), timeout=60)
        opened.append(context.wrap_socket(plain, server_hostname="localhost"))
        return opened[-1]

    yield make
    for connection in opened:
        connection.close()


def answer_of(connection):
    """Status and JSON body of an answer, which ends with the connection."""
    received = b""
    while part := connection.recv(65536):
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    return int(head.split()[1]), json.loads(body)


def test_a_head_that_never_ends_is_cut_off(connect):
    connection = connect()
    connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n")
    piece = b"x" * 16384
    connection.sendall(b"X-Long: ")
    for _ in range(MAX_HEAD // len(piece) + 1):
        connection.sendall(piece)
    status, body = answer_of(connection)
    assert status == 431 and f"{MAX_HEAD:,}" in body["error"]["message"]


def test_a_head_that_is_too_large_at_once_is_refused(local_workspace, caller):
    call = caller("/history/v1.0{scope}")
    answer = call(
        "GET", "/experiments/nobody-made-it", headers={"X-Long": "x" * (MAX_HEAD - 16384)}
    )
    assert answer.status_code == 404
    answer = call("GET", "/experiments/nobody-made-it", headers={"X-Long": "x" * MAX_HEAD})
    assert answer.status_code == 431
    assert answer.json()["error"]["code"] == "RequestHeaderFieldsTooLarge"
    many = {f"x-{number}": "y" * 100 for number in range(700)}
    assert call("GET", "/experiments/nobody-made-it", headers=many).status_code == 431
    blobs = f"{local_workspace.origin}/some-container"
    long = {"params": {"prefix": "x" * 40000}, "headers": {"x-ms-version": "x" * 40000}}
    assert requests.get(blobs, **long).status_code == 431


def test_a_stranger_sends_kilobytes_only(local_workspace):
    address = f"{local_workspace.origin}/msi/token"
    form = {"resource": "r", "padding": "x" * MAX_BODY_WITHOUT_TOKEN}
    secret = {"secret": local_workspace.settings.msi_secret}
    answer = requests.post(address, data=form, headers=secret)
    assert answer.status_code == 413 and "65,536" in answer.json()["error"]["message"]
    # Nor does it help to keep quiet about how much there is.
    chunks = (b"x" * 1024 for _ in range(100))
    answer = requests.post(address, data=chunks, headers=secret)
    assert answer.status_code == 413
    form["padding"] = "x" * 1000
    assert requests.post(address, data=form, headers=secret).status_code == 200
    page = f"{local_workspace.origin}/studio/sign-in"
    assert requests.post(page, data=b"x" * (MAX_BODY_WITHOUT_TOKEN + 1)).status_code == 413


def test_a_body_of_a_client_with_a_token_has_a_limit_too(connect, local_workspace, token):
    connection = connect()
    head = (
        f"POST /history/v1.0{local_workspace.settings.scope}/experiments:query HTTP/1.1\r\n"
        f"Host: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n"
        f"Content-Length: {MAX_BODY + 1}\r\n\r\n"
    )
    # It is told before it has sent any of them.
    connection.sendall(head.encode())
    status, body = answer_of(connection)
    assert status == 413 and body["error"]["code"] == "RequestBodyTooLarge"


def test_filters_have_a_length(caller):
    call = caller("/history/v1.0{scope}")
    call("POST", "/experiments/limits")
    for long in ("a" * 100_001, "RunId eq " + "x" * 100_000):
        answer = call("POST", "/experiments/limits/runs:query", {"filter": long})
        assert answer.status_code == 400 and "100000" in answer.json()["error"]["message"]
    order = "RunId," * 30 + "RunId"
    answer = call("POST", "/experiments/limits/runs:query", {"orderby": order})
    assert answer.status_code == 400 and "fields" in answer.json()["error"]["message"]
