"""How a workspace is put together: who answers what, and who starts when."""

import pytest
from fastapi.routing import iter_route_contexts

from local_workspace import startup
from local_workspace.paths import Paths
from local_workspace.service import Service, first_segment, owners
from local_workspace.settings import Settings
from local_workspace.startup import ENGINES, SERVICES
from local_workspace.workspace import LocalWorkspace


@pytest.fixture
def session(local_workspace):
    """Sends requests as the SDK does, with its token."""
    return local_workspace.workspace._auth_object.signed_session()


def refusal(answer):
    """The error of an answer that says what the local workspace does not do."""
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert error["code"] == "NotImplementedByLocalWorkspace"
    return error["message"]


def test_names_are_used_once():
    for names in (
        [service.name for service in SERVICES],
        [name for service in SERVICES for name in service.discovery],
        [engine.name for engine in ENGINES],
    ):
        assert len(names) == len(set(names))


def test_every_route_lies_below_a_prefix_that_a_service_owns():
    owned = owners(SERVICES)
    for service in SERVICES:
        routes = service.router.routes if service.router else ()
        for context in iter_route_contexts(routes):
            assert first_segment(context.path) in owned, (service.name, context.path)


def test_a_prefix_has_one_owner():
    services = (
        Service(name="one", title="", prefixes=("a", "b")),
        Service(name="two", title="", prefixes=("c", "a")),
    )
    with pytest.raises(ValueError, match="one and two both own the prefix 'a'"):
        owners(services)


def test_what_is_not_answered_says_so(local_workspace, session):
    message = refusal(session.get(local_workspace.origin + "/history/v1.0/nothing"))
    assert "/history/v1.0/nothing" in message


def test_the_services_to_come_say_what_they_are(local_workspace, session):
    to_come = [service for service in SERVICES if not service.is_here]
    prefixes = [prefix for service in to_come for prefix in service.prefixes]
    assert {"hyperdrive", "jasmine", "datadriftmanager"} <= set(prefixes)
    for service in to_come:
        for prefix in service.prefixes:
            message = refusal(session.post(f"{local_workspace.origin}/{prefix}/v1.0/x", json={}))
            assert service.title in message and "not here yet" in message
            assert f"/{prefix}/v1.0/x" in message


def test_an_unknown_service_is_no_storage(local_workspace, session):
    address = local_workspace.origin + "/registrymanagement/v1.0/registries"
    assert "/registrymanagement/" in refusal(session.get(address))
    # What a storage client says of itself changes nothing, but how it signs would.
    answer = session.get(address, headers={"x-ms-version": "2021-12-02"})
    assert "/registrymanagement/" in refusal(answer)
    answer = session.get(f"{address}?sig=x&sv=2021-12-02")
    assert answer.headers["x-ms-error-code"] == "InvalidAuthenticationInfo"


def test_discovery_lists_the_names_of_all_services(local_workspace, session):
    origin = local_workspace.origin
    listed = session.get(local_workspace.workspace.discovery_url).json()
    assert listed.pop("studio") == f"{origin}/studio"
    assert listed == dict.fromkeys(
        (
            "api",
            "catalog",
            "cert",
            "experimentation",
            "gallery",
            "history",
            "hyperdrive",
            "modelmanagement",
            "pipelines",
        ),
        origin,
    )


class Recorder:
    """An engine that writes down what is done with it."""

    name = "recorder"
    trouble = False
    seen: list

    def __init__(self, workspace):
        self.workspace = workspace

    def start(self):
        self.seen.append(("start", self.name))
        # Those that start later are there, to be woken.
        assert self.workspace.engines.second
        if self.trouble:
            raise OSError("no")

    def close(self):
        self.seen.append(("close", self.name))


@pytest.fixture
def workspace(tmp_path):
    return LocalWorkspace(Paths(tmp_path), Settings(), 1)


def recorders(seen, **of_the_second):
    return tuple(
        type(name, (Recorder,), {"name": name, "seen": seen, **more})
        for name, more in (("first", {}), ("second", of_the_second))
    )


def test_services_are_prepared_before_engines_start_and_engines_end_in_reverse(workspace):
    seen = []
    service = Service(name="s", title="", prepare=lambda given: seen.append(("prepare", given)))
    with startup.running(workspace, (service,), recorders(seen)) as given:
        assert given is workspace
        seen.append("running")
    assert seen == [
        ("prepare", workspace),
        ("start", "first"),
        ("start", "second"),
        "running",
        ("close", "second"),
        ("close", "first"),
    ]


def test_a_start_that_fails_leaves_nothing_running(workspace):
    seen = []
    with (
        pytest.raises(OSError, match="no"),
        startup.running(workspace, (), recorders(seen, trouble=True)),
    ):
        pass
    assert seen[-2:] == [("close", "second"), ("close", "first")]
