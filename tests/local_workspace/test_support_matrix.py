"""docs/support_matrix.md is what the routes say."""

from local_workspace.app import create_api
from local_workspace.startup import SERVICES
from local_workspace.support_matrix import TARGET, support_matrix


def test_the_page_is_current():
    assert TARGET.read_text(encoding="utf-8") == support_matrix(), (
        "Write it anew with `python -m local_workspace.support_matrix`."
    )


def test_every_route_says_what_it_does_and_for_whom():
    for path, operations in create_api(object(), SERVICES).openapi()["paths"].items():
        for method, operation in operations.items():
            assert operation.get("x-sdk"), f"{method} {path} names no call of the SDK"
            assert operation["description"].split("\n")[0].endswith("."), f"{method} {path}"
