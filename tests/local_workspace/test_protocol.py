"""What Azure asks of every request and answer, whichever service it is for."""

import pytest
import requests

from local_workspace.path_case import PathCase


@pytest.fixture
def get(local_workspace, token):
    """Gets a path; {scope} stands for the workspace's."""

    def get(path, **options):
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        address = local_workspace.origin + path.format(scope=local_workspace.settings.scope)
        return requests.get(address, headers=headers, timeout=30, **options)

    return get


@pytest.mark.parametrize(
    "change", [str.lower, str.upper, lambda text: text.replace("Groups", "groups")]
)
def test_paths_do_not_depend_on_case(local_workspace, get, change):
    settings = local_workspace.settings
    subscription = f"/subscriptions/{settings.subscription_id}"
    provider = "/providers/Microsoft.MachineLearningServices"
    for path in (
        settings.scope,
        f"{settings.scope}/computes",
        f"{subscription}/resourceGroups/{settings.resource_group}",
        f"{subscription}{provider}/locations/local/Quotas",
    ):
        answer = get(change(path), params={"api-version": "2021-04-01"})
        assert answer.status_code == 200, path
    assert get(f"/modelmanagement/v1.0{change(settings.scope)}/models").status_code == 200


def test_names_keep_their_case():
    case = PathCase(
        [
            "/Group/{group}/items",
            "/Group/{group}/items/{item}",
            "/Group/{group}/items/Latest/files",
            "/Group/{group}/items:query",
            "/Group/{group}/files/{path:path}",
        ]
    )
    assert case.spelled("/group/Items/ITEMS") == "/Group/Items/items"
    assert case.spelled("/GROUP/g/items/LATEST") == "/Group/g/items/LATEST"
    assert case.spelled("/group/g/items/latest/Files") == "/Group/g/items/Latest/files"
    assert case.spelled("/group/g/ITEMS:QUERY") == "/Group/g/items:query"
    assert case.spelled("/group/g/Files/Items/A.txt") == "/Group/g/files/Items/A.txt"
    # The empty name is none.
    for unknown in ("/group//items", "/Other/g", "/", "", "/Group/g/items/x/y"):
        assert case.spelled(unknown) == unknown


def test_two_spellings_of_one_word_are_both_routes():
    case = PathCase(["/a/Word/one", "/a/word/two"])
    assert case.spelled("/a/WORD/TWO") == "/a/word/two"
    assert case.spelled("/a/WORD/ONE") == "/a/Word/one"


@pytest.mark.parametrize(
    "path",
    ["{scope}?api-version=1", "/history/v1.0{scope}/experiments", "/health", "/history/v1.0/x"],
)
def test_every_answer_has_an_id(get, path):
    first, second = get(path), get(path)
    assert first.headers["x-ms-request-id"] != second.headers["x-ms-request-id"]


def test_a_storage_answer_has_one_id(local_workspace):
    answer = requests.get(local_workspace.origin + "/data/blob", timeout=30)
    assert answer.status_code == 401
    assert "," not in answer.headers["x-ms-request-id"]


def test_a_client_gets_the_name_of_its_request_back(get):
    named = {"x-ms-client-request-id": "mine"}
    asked = {**named, "x-ms-return-client-request-id": "true"}
    path = "/history/v1.0{scope}/experiments"
    assert get(path, headers=asked).headers["x-ms-client-request-id"] == "mine"
    assert "x-ms-client-request-id" not in get(path, headers=named).headers


def test_a_refusal_has_its_code_in_a_header(get):
    answer = get("/history/v1.0{scope}/experiments/no-such-one")
    assert answer.headers["x-ms-error-code"] == answer.json()["error"]["code"]


@pytest.mark.parametrize("path", ["{scope}", "/tenants", "/subscriptions", "{scope}?api-version="])
def test_the_resource_manager_needs_a_version(get, local_workspace, path):
    answer = get(path)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "MissingApiVersionParameter"
    # Whoever has not signed in is told that first.
    address = local_workspace.origin + path.format(scope=local_workspace.settings.scope)
    assert requests.get(address, timeout=30).status_code == 401
