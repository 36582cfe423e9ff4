"""The managed identity's own address: tokens for whoever knows the secret, and nothing else."""

import pytest
import requests

from local_workspace.identity.tokens import TokenIssuer


@pytest.fixture
def address(local_workspace):
    address = local_workspace.env["MSI_ENDPOINT"]
    assert address.startswith("http://127.0.0.1:")
    return address


@pytest.fixture
def ask(local_workspace, address):
    """Asks for a token as the SDK does, with other headers when they are given."""

    def ask(path="/msi/token", method="GET", **headers):
        headers = {"secret": local_workspace.settings.msi_secret, **headers}
        return requests.request(
            method,
            address.removesuffix("/msi/token") + path,
            params={"resource": "https://management.local", "api-version": "2017-09-01"},
            headers=headers,
            timeout=60,
        )

    return ask


def test_it_gives_tokens_that_the_services_take(local_workspace, ask):
    answer = ask()
    assert answer.status_code == 200
    principal = TokenIssuer(local_workspace.settings).verify(answer.json()["access_token"])
    assert principal.role == "Owner"
    url = f"{local_workspace.origin}{local_workspace.settings.scope}?api-version=2022-05-01"
    header = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert requests.get(url, headers=header, timeout=60).status_code == 200


@pytest.mark.parametrize("secret", ["", "wrong", "x" * 43])
def test_the_secret_decides(ask, secret):
    answer = ask(secret=secret)
    assert answer.status_code == 403
    assert "access_token" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/health",
        "/msi/tokens",
        "/msi/token/x",
        "/metadata/endpoints",
        "/studio/",
        "/msi/./token/../x",
    ],
)
def test_there_is_nothing_else(ask, path):
    answer = ask(path)
    assert answer.status_code == 404
    assert "only tokens" in answer.json()["error"]["message"]


@pytest.mark.parametrize("host", ["attacker.example", "localhost", "127.0.0.1:1", ""])
def test_a_request_that_was_meant_for_another_host_gets_nothing(ask, host):
    answer = ask(Host=host)
    assert answer.status_code == 400
    assert "access_token" not in answer.text
