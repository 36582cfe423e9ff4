"""Workspace.create, and the resource manager's paths in any case."""

import pytest
import requests
from azure.core.exceptions import HttpResponseError
from azureml.core import Workspace
from azureml.exceptions import WorkspaceException

from local_workspace.app import create_api
from local_workspace.startup import SERVICES

COMMANDS = "`python -m local_workspace start --root DIR --port 0` makes one"


@pytest.fixture
def names(local_workspace):
    """What Workspace.create needs besides a name."""
    settings = local_workspace.settings
    return {"subscription_id": settings.subscription_id, "resource_group": settings.resource_group}


def test_create_with_exist_ok_gives_the_workspace(local_workspace, names):
    name = local_workspace.settings.workspace_name
    found = Workspace.create(name, exist_ok=True, **names)
    assert found._workspace_id == local_workspace.settings.workspace_id
    # As notebooks write it: a region of Azure, and groups do not depend on case.
    names["resource_group"] = names["resource_group"].upper()
    found = Workspace.create(
        name, exist_ok=True, location="eastus2", create_resource_group=True, **names
    )
    assert found._workspace_id == local_workspace.settings.workspace_id
    assert found.get_details()["workspaceid"] == local_workspace.settings.workspace_id


def test_create_of_what_is_there_says_so(local_workspace, names):
    with pytest.raises(WorkspaceException, match="already exists"):
        Workspace.create(local_workspace.settings.workspace_name, location="West Europe", **names)


def test_create_refuses_a_location_that_is_none(local_workspace, names):
    with pytest.raises(WorkspaceException, match="Location not available"):
        Workspace.create(
            local_workspace.settings.workspace_name, location="atlantis", exist_ok=True, **names
        )


def test_another_name_gets_the_commands(names, capsys):
    with pytest.raises(WorkspaceException) as raised:
        Workspace.create("another", exist_ok=True, show_output=False, **names)
    assert COMMANDS in str(raised.value)


def test_another_resource_group_gets_the_commands(names):
    names["resource_group"] = "another"
    with pytest.raises(HttpResponseError) as raised:
        Workspace.create("another", location="eastus2", **names)
    assert COMMANDS in str(raised.value)


def test_the_provider(local_workspace, caller):
    call = caller(f"/subscriptions/{local_workspace.settings.subscription_id}/providers")
    provider = call("GET", "/microsoft.machinelearningservices?api-version=2021-04-01").json()
    assert provider["namespace"] == "Microsoft.MachineLearningServices"
    types = {kind["resourceType"]: kind["locations"] for kind in provider["resourceTypes"]}
    assert {"local", "East US 2", "West Europe"} <= set(types["workspaces"])
    assert call("GET", "?api-version=2021-04-01").json()["value"] == [provider]
    other = call("GET", "/Microsoft.Batch?api-version=2021-04-01")
    assert other.status_code == 404
    assert other.json()["error"]["code"] == "InvalidResourceNamespace"


def resource_manager_paths(settings):
    """Every path that the resource manager answers to GET, with names that are there."""

    class Unused:
        """Routes are only listed here, never called."""

    names = {
        "subscription_id": settings.subscription_id,
        "resource_group": settings.resource_group,
        "workspace_name": settings.workspace_name,
        "location": settings.region,
        "namespace": "Microsoft.MachineLearningServices",
        # Not there, which the answer says.
        "name": "nobody",
        "operation_id": "nobody",
    }
    for path, operations in create_api(Unused(), SERVICES).openapi()["paths"].items():
        is_arm = path.startswith(("/subscriptions", "/rp/", "/tenants", "/providers"))
        if is_arm and "get" in operations:
            yield path.format(**names)


def test_paths_of_the_resource_manager_do_not_depend_on_case(local_workspace, token):
    settings = local_workspace.settings
    paths = list(resource_manager_paths(settings))
    assert len(paths) > 15
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {token}"

        def ask(path):
            answer = session.get(local_workspace.origin + path, timeout=30).json()
            # The time of an error.
            return {key: value for key, value in answer.items() if key != "time"}

        for path in paths:
            expected = ask(path)
            assert "NotImplementedByLocalWorkspace" not in str(expected), path
            for written in (path.lower(), path.upper(), path.swapcase()):
                assert str(ask(written)).lower() == str(expected).lower(), written


def test_nobody_is_believed_to_stand_in_front_of_the_server(local_workspace, token):
    path = f"/subscriptions/{local_workspace.settings.subscription_id}"
    answer = requests.get(
        f"{local_workspace.origin}{path}/providers/Microsoft.Resources/deployments",
        params={"api-version": "2022-05-01"},
        headers={
            "Authorization": f"Bearer {token}",
            "X-Forwarded-Proto": "http",
            "X-Forwarded-For": "203.0.113.7",
        },
        allow_redirects=False,
        timeout=10,
    )
    assert answer.headers["location"].startswith("https://localhost")
