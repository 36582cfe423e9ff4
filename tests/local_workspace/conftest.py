"""What the tests of several parts need; classes and functions are in the modules beside it.

The SDK and MLflow are imported within fixtures: a conftest may be read before the workspace has
started, and they read their settings when they are imported.
"""

import pytest
import requests
from studio_browser import Browser

from local_workspace.identity.tokens import TokenIssuer
from local_workspace.paths import Paths
from local_workspace.settings import Settings
from local_workspace.workspace import LocalWorkspace


@pytest.fixture(scope="session")
def local_workspace(local_workspace):
    """The workspace of this test session, whose SDK object keeps one token for all its calls.

    Otherwise the SDK asks for two tokens before each of them.
    """
    from execution_helpers import quick_workspace

    local_workspace._workspace = quick_workspace(local_workspace.workspace)
    return local_workspace


@pytest.fixture(scope="session")
def ws(local_workspace):
    """The SDK's workspace."""
    return local_workspace.workspace


@pytest.fixture
def account(local_workspace):
    """The name of the storage account."""
    return local_workspace.settings.storage_account


@pytest.fixture
def key(local_workspace):
    """The key of the storage account."""
    return local_workspace.settings.storage_key


@pytest.fixture
def token(local_workspace):
    """A bearer token for the services."""
    return TokenIssuer(local_workspace.settings).issue(local_workspace.origin)[0]


@pytest.fixture
def caller(local_workspace, token):
    """Makes functions that send requests which the SDK would not send.

    `caller("/history/v1.0{scope}")` gives `call(method, path, body=None, **options)` for the paths
    below that, with the workspace's scope in the place of {scope}. It sends `body` as JSON, takes
    the options of `requests`, and returns the response.
    """
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {token}"

        def make(base):
            address = local_workspace.origin + base.format(scope=local_workspace.settings.scope)

            def call(method, path, body=None, **options):
                if body is not None:
                    options["json"] = body
                return session.request(method, address + path, timeout=60, **options)

            return call

        yield make


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder, where the process is: a run sends what lies in ./outputs and ./logs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def module_folder(tmp_path_factory):
    """As `folder`, for all tests of a module."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        folder = tmp_path_factory.mktemp("folder")
        monkeypatch.chdir(folder)
        yield folder


@pytest.fixture
def lab(local_workspace, folder):
    """Submits runs to the workspace of the test session."""
    from execution_helpers import Lab

    return Lab(local_workspace, folder)


@pytest.fixture(scope="module")
def browser(local_workspace):
    """A browser that has signed in."""
    browser = Browser(local_workspace)
    browser.sign_in(local_workspace)
    return browser


@pytest.fixture(scope="module")
def opened(local_workspace):
    """The workspace of the test session, as the server's own code sees it."""
    settings = local_workspace.settings
    workspace = LocalWorkspace(local_workspace.paths, settings, settings.port)
    yield workspace
    workspace.close()


@pytest.fixture
def workspace(tmp_path):
    """An empty workspace as the server's own code sees it, without a server."""
    workspace = LocalWorkspace(Paths(tmp_path), Settings(), port=1)
    yield workspace
    workspace.close()
