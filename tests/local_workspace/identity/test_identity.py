"""Tokens, secrets, and who is let in."""

import re
import subprocess
import sys
import time

import jwt
import pytest
import requests
from azureml.core import Workspace
from azureml.exceptions import ProjectSystemException

from local_workspace.app import create_api
from local_workspace.identity import tokens
from local_workspace.identity.tokens import LEEWAY_SECONDS, TokenIssuer
from local_workspace.settings import Settings
from local_workspace.startup import SERVICES


@pytest.fixture
def issuer(local_workspace):
    return TokenIssuer(local_workspace.settings)


def get(local_workspace, path, token=None, **headers):
    """GET `path`, with a bearer token when one is given."""
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return requests.get(local_workspace.origin + path, headers=headers, timeout=10)


def scope_of(local_workspace):
    """The path of the workspace in the resource manager."""
    return f"{local_workspace.settings.scope}?api-version=2021-04-01"


def test_a_token_opens_and_nothing_else_does(local_workspace, issuer):
    path = scope_of(local_workspace)
    token, _ = issuer.issue("https://localhost/")
    assert get(local_workspace, path, token).json()["name"] == "local-workspace"

    anonymous = get(local_workspace, path)
    assert anonymous.status_code == 401
    assert anonymous.json()["error"]["code"] == "AuthenticationFailed"
    assert anonymous.headers["WWW-Authenticate"] == "Bearer"
    assert get(local_workspace, path, Authorization="Basic eA==").status_code == 401

    forged = jwt.encode(jwt.decode(token, options={"verify_signature": False}), "x" * 32)
    assert (
        get(local_workspace, path, forged).json()["error"]["code"] == "InvalidAuthenticationToken"
    )


def test_an_unsigned_token_is_refused(local_workspace, issuer):
    token, _ = issuer.issue("https://localhost/")
    claims = jwt.decode(token, options={"verify_signature": False})
    unsigned = jwt.encode(claims, None, algorithm="none")
    assert get(local_workspace, scope_of(local_workspace), unsigned).status_code == 401


def test_an_expired_token_says_so(local_workspace, issuer):
    token, _ = issuer.issue("https://localhost/", lifetime=-LEEWAY_SECONDS - 1)
    answer = get(local_workspace, scope_of(local_workspace), token)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "ExpiredAuthenticationToken"
    assert "has expired" in answer.json()["error"]["message"]


def test_a_token_holds_when_the_clock_was_put_back(local_workspace, issuer, monkeypatch):
    now = time.time()
    monkeypatch.setattr(tokens.time, "time", lambda: now + LEEWAY_SECONDS - 5)
    token, _ = issuer.issue("https://localhost/")
    assert get(local_workspace, scope_of(local_workspace), token).status_code == 200
    monkeypatch.setattr(tokens.time, "time", lambda: now + 2 * LEEWAY_SECONDS)
    token, _ = issuer.issue("https://localhost/")
    assert get(local_workspace, scope_of(local_workspace), token).status_code == 401


def test_the_token_of_another_workspace_is_refused(local_workspace):
    token, _ = TokenIssuer(Settings()).issue("https://localhost/")
    answer = get(local_workspace, scope_of(local_workspace), token)
    assert answer.status_code == 401
    assert "python -m local_workspace env" in answer.json()["error"]["message"]


def test_a_reader_reads_only(local_workspace, issuer):
    token, _ = issuer.issue("https://localhost/", role="Reader")
    path = scope_of(local_workspace)
    assert get(local_workspace, path, token).status_code == 200
    refused = requests.patch(
        local_workspace.origin + path,
        json={"tags": {}},
        headers={"Authorization": f"Bearer {token}"},
        timeout=10,
    )
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "AuthorizationFailed"


def test_every_route_but_the_open_ones_needs_a_token(local_workspace):
    class Unused:
        """Routes are only listed here, never called."""

    open_paths = {"/health", "/metadata/endpoints"}
    guarded_otherwise = ("/msi/", "/discovery/", "/adfs/", "/studio/")
    checked = 0
    for path, operations in create_api(Unused(), SERVICES).openapi()["paths"].items():
        if path in open_paths or path.startswith(guarded_otherwise):
            continue
        for method in operations:
            address = local_workspace.origin + re.sub(r"\{[^}]*\}", "x", path)
            answer = requests.request(method, address, timeout=10)
            assert answer.status_code == 401, f"{method} {path}"
            checked += 1
    assert checked >= len(SERVICES)


def test_managed_identity_needs_its_secret(local_workspace):
    address = local_workspace.origin + "/msi/token"
    right = {"secret": local_workspace.settings.msi_secret}
    question = {"resource": "https://management.example/", "api-version": "2017-09-01"}
    token = requests.get(address, params=question, headers=right, timeout=10).json()
    claims = jwt.decode(token["access_token"], options={"verify_signature": False})
    assert claims["aud"] == "https://management.example/"
    assert claims["tid"] == local_workspace.settings.tenant_id
    assert 0 < claims["exp"] - claims["iat"] <= 24 * 3600

    assert token["expires_on"] == str(claims["exp"])

    wrong = requests.get(address, params=question, headers={"secret": "guess"}, timeout=10)
    assert wrong.status_code == 403 and "MSI_SECRET" in wrong.json()["error"]["message"]
    assert requests.get(address, params=question, timeout=10).status_code == 403
    assert requests.get(address, headers=right, timeout=10).status_code == 400


def test_discovery_needs_its_ticket(local_workspace):
    workspace_id = local_workspace.settings.workspace_id
    ticket = TokenIssuer(local_workspace.settings).ticket(f"discovery/{workspace_id}")
    path = f"/discovery/workspaces/{workspace_id}/"
    assert get(local_workspace, path + ticket).json()["history"] == local_workspace.origin
    assert get(local_workspace, path + "0" * 32).status_code == 404


def test_workspace_through_the_sdk(local_workspace):
    workspace = local_workspace.workspace
    details = workspace.get_details()
    assert details["workspaceid"] == local_workspace.settings.workspace_id
    listed = Workspace.list(workspace.subscription_id)
    assert [found.name for found in listed[workspace.name]] == [workspace.name]
    assert workspace.name in Workspace.list(
        workspace.subscription_id, resource_group=workspace.resource_group.upper()
    )
    with pytest.raises(ProjectSystemException, match="not found"):
        Workspace.list(workspace.subscription_id, resource_group="another")
    found = Workspace.get(
        workspace.name,
        subscription_id=workspace.subscription_id,
        resource_group=workspace.resource_group.upper(),
    )
    assert found._workspace_id == workspace._workspace_id


def test_workspace_tags_and_description(local_workspace):
    workspace = Workspace(**local_workspace.config)
    workspace.update(description="for the tests", tags={"team": "blue"})
    again = Workspace(**local_workspace.config)
    assert again.tags == {"team": "blue"}
    assert again.get_details()["description"] == "for the tests"


def test_an_unknown_workspace_is_the_sdks_not_found(local_workspace):
    with pytest.raises(ProjectSystemException, match="not found"):
        Workspace(**{**local_workspace.config, "workspace_name": "nobody"})
    with pytest.raises(ProjectSystemException, match="not found"):
        Workspace(**{**local_workspace.config, "resource_group": "nobody"})


def sign_in_alone(local_workspace, home, auth, **variables):
    """Open the workspace with `auth` in a process that may reach this machine only."""
    code = (
        "import socket, os\n"
        "resolve = socket.getaddrinfo\n"
        "def only_loopback(host, *rest, **options):\n"
        "    assert host in ('localhost', '127.0.0.1', b'localhost'), f'asked for {host}'\n"
        "    return resolve(host, *rest, **options)\n"
        "socket.getaddrinfo = only_loopback\n"
        "from azureml.core import Workspace, authentication\n"
        f"Workspace(**{local_workspace.config!r}, auth={auth})\n"
        "print('signed in')\n"
    )
    environment = {**local_workspace.env, "PATH": "", "HOME": str(home), **variables}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, text=True, capture_output=True, check=False
    )


def test_a_wrong_secret_stays_on_this_machine_and_says_what_to_do(local_workspace, tmp_path):
    result = sign_in_alone(local_workspace, tmp_path, "None", MSI_SECRET="wrong")
    assert result.returncode == 1
    assert "python -m local_workspace env" in result.stderr
    assert "asked for" not in result.stderr


@pytest.mark.parametrize("tenant", ["10ca1000-0000-4000-8000-000000000002", "contoso.com"])
def test_a_service_principal_is_told_how_to_sign_in_here(local_workspace, tmp_path, tenant):
    arguments = f"{tenant!r}, 'an-application', 'its-password'"
    auth = f"authentication.ServicePrincipalAuthentication({arguments})"
    result = sign_in_alone(local_workspace, tmp_path, auth)
    assert result.returncode == 1
    assert "knows no service principals" in result.stderr
    assert "Leave out `auth=...`" in result.stderr
    assert "asked for" not in result.stderr
    assert "its-password" not in local_workspace.paths.server_log.read_text()


def test_a_session_of_the_azure_cli_is_not_looked_for(local_workspace, tmp_path):
    result = sign_in_alone(local_workspace, tmp_path, "authentication.AzureCliAuthentication()")
    assert result.returncode == 1
    assert "azure-cli" in result.stderr
    assert "asked for" not in result.stderr


@pytest.mark.parametrize(
    "options", ["", "force=True", "tenant_id='10ca1000-0000-4000-8000-000000000002'"]
)
def test_an_interactive_sign_in_uses_the_managed_identity(local_workspace, tmp_path, options):
    auth = f"authentication.InteractiveLoginAuthentication({options})"
    result = sign_in_alone(local_workspace, tmp_path, auth)
    assert result.stdout.strip() == "signed in", result.stderr


@pytest.mark.parametrize("credential", ["DefaultAzureCredential", "ManagedIdentityCredential"])
def test_azure_identity_signs_in(local_workspace, credential):
    code = (
        "import azure.identity, jwt, sys\n"
        f"token = azure.identity.{credential}().get_token('https://storage.example/.default')\n"
        "claims = jwt.decode(token.token, options={'verify_signature': False})\n"
        "assert claims['aud'] == 'https://storage.example', claims\n"
        "assert claims['exp'] == token.expires_on\n"
    )
    environment = {**local_workspace.env, "PATH": ""}
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, text=True, capture_output=True, check=False
    )
    assert result.returncode == 0, result.stderr
