"""Who wants an environment gets it, built once, and waits for nobody else's."""

import errno
import sys
import threading
from pathlib import Path

import pytest
from environment_helpers import builds, definition_of, from_wheels
from execution_helpers import is_alive, wait_until

from local_workspace.engines import base
from local_workspace.engines.environments import pythons
from local_workspace.engines.environments.builder import (
    EnvironmentBuildCanceled,
    EnvironmentBuilder,
    EnvironmentBuildError,
)
from local_workspace.engines.environments.engine import EnvironmentsEngine
from local_workspace.paths import Paths
from local_workspace.services.artifact import ensure_artifact_store, read_artifact
from local_workspace.services.environment import register_environment
from local_workspace.services.environment.builds import get_build, start_build
from local_workspace.settings import Settings
from local_workspace.store.blobs import BlobError
from local_workspace.workspace import LocalWorkspace

SOON = 60


@pytest.fixture
def workspace(tmp_path):
    """A workspace with this engine alone."""
    workspace = LocalWorkspace(Paths(tmp_path), Settings(), 1)
    ensure_artifact_store(workspace)
    start_engine(workspace)
    yield workspace
    workspace.engines.environments.close()
    workspace.close()


def start_engine(workspace):
    workspace.engines.add("environments", EnvironmentsEngine(workspace))
    workspace.engines.environments.start()


@pytest.fixture
def engine(workspace):
    return workspace.engines.environments


class Waiter:
    """One who wants an environment."""

    def __init__(self, engine, definition):
        self.said = []
        self.times_told = 0
        self.is_told = threading.Event()
        self.wanted = engine.want(definition, self.said.append, self._ready)

    def _ready(self):
        self.times_told += 1
        self.is_told.set()

    def python(self):
        """What comes of it."""
        assert self.is_told.wait(SOON), "it did not come"
        assert self.times_told == 1
        return self.wanted.python()

    def has_heard(self, line):
        return any(line in said for said in self.said)


class Builds:
    """Stands in for what builds: each says that it begins, and waits."""

    def __init__(self):
        self.begun = []
        self.stopped = []
        self.failure = None
        self._may_end = {}
        self._may_stop = threading.Event()
        self._may_stop.set()

    def end(self, name):
        self._event(name).set()

    def hold_stops(self):
        """Those that are to stop take their time, until `go_on_stopping`."""
        self._may_stop.clear()

    def go_on_stopping(self):
        self._may_stop.set()

    def _event(self, name):
        return self._may_end.setdefault(name, threading.Event())

    def build(self, choice, log, stop):
        (name,) = choice.plan.requirements
        self.begun.append(name)
        log(f"{name} begins")
        while not self._event(name).wait(0.01):
            if stop():
                self.stopped.append(name)
                self._may_stop.wait(SOON)
                raise EnvironmentBuildCanceled("stopped")
        if self.failure is not None:
            raise self.failure
        (choice.folder / "bin").mkdir(parents=True)
        (choice.folder / "bin/python").touch()
        (choice.folder / "complete.json").write_text('{"replaced": []}')


@pytest.fixture
def held(monkeypatch):
    found = Builds()
    monkeypatch.setattr(EnvironmentBuilder, "build", lambda _self, *args: found.build(*args))
    return found


def test_twenty_wait_for_one_build_and_who_needs_none_does_not(engine, wheels, slow_uv):
    (slow_uv / "hold").write_text("-r ")
    definition = from_wheels(wheels, "tiny-package==1.0")
    waiting = [Waiter(engine, definition)]
    wait_until((slow_uv / "held").exists)
    threads = threading.active_count()
    waiting += [Waiter(engine, definition) for _ in range(19)]
    own = Waiter(engine, definition_of("pytest"))
    assert own.python() == Path(sys.executable)
    assert own.said[-1].startswith("The workspace's own environment has every package")
    assert threading.active_count() == threads
    assert not any(one.is_told.is_set() or one.wanted.python() for one in waiting)

    # Who gives up is done with it at once, and the others get what they wait for.
    gone = waiting.pop(3)
    gone.wanted.give_up()
    with pytest.raises(EnvironmentBuildCanceled):
        gone.wanted.python()
    (slow_uv / "go").touch()
    pythons_found = {one.python() for one in waiting}
    assert pythons_found == {engine.find(definition)} and None not in pythons_found
    assert builds(slow_uv) == 1
    for one in waiting:
        assert one.has_heard("+ tiny-package==1.0") and one.said[-1].endswith("is ready.")
    assert not gone.is_told.is_set() and not gone.has_heard("+ tiny-package==1.0")


def test_who_comes_later_hears_what_was_said(engine, held):
    first = Waiter(engine, definition_of("one"))
    wait_until(lambda: first.has_heard("one begins"))
    later = Waiter(engine, definition_of("one", conda_packages=["python=3.10", "mkl"]))
    wait_until(lambda: later.has_heard("one begins"))
    # What differs from Azure is said to whose definition it is.
    assert later.has_heard("'mkl' is left out") and not first.has_heard("'mkl'")
    held.end("one")
    assert first.python() == later.python()
    assert held.begun == ["one"]


def test_nobody_waits_for_the_build_of_another(engine, held):
    waiting = [Waiter(engine, definition_of(name)) for name in ("one", "two")]
    wait_until(lambda: len(held.begun) == 2)
    third, fourth = (Waiter(engine, definition_of(name)) for name in ("three", "four"))
    wait_until(lambda: fourth.has_heard("Other environments are built first."))
    assert Waiter(engine, definition_of("pytest")).python() == Path(sys.executable)
    assert held.begun == ["one", "two"]
    held.end("two")
    assert waiting[1].python() is not None
    wait_until(lambda: third.has_heard("three begins"))
    for name in ("one", "three", "four"):
        held.end(name)
    assert all(one.python() for one in (waiting[0], third, fourth))
    assert held.begun == ["one", "two", "three", "four"]


def test_who_gives_up_in_the_queue_is_not_built_for(engine, held):
    waiting = [Waiter(engine, definition_of(name)) for name in ("one", "two")]
    wait_until(lambda: len(held.begun) == 2)
    queued = [Waiter(engine, definition_of(name)) for name in ("three", "four")]
    wait_until(lambda: all(one.has_heard("are built first") for one in queued))
    queued[0].wanted.give_up()
    held.end("one")
    held.end("four")
    assert waiting[0].python() and queued[1].python()
    assert "three" not in held.begun


def test_the_last_to_give_up_ends_the_installer(engine, workspace, wheels, slow_uv):
    (slow_uv / "hold").write_text("-r ")
    definition = from_wheels(wheels, "tiny-package==1.0")
    waiting = [Waiter(engine, definition) for _ in range(2)]
    wait_until(lambda: (slow_uv / "held").exists() and (slow_uv / "held").read_text())
    installer = int((slow_uv / "held").read_text())
    waiting[0].wanted.give_up()
    assert is_alive(installer)
    waiting[1].wanted.give_up()
    wait_until(lambda: not is_alive(installer))
    root = workspace.paths.environments
    wait_until(lambda: not [path for path in root.iterdir() if path.is_dir()])
    assert not any(one.is_told.is_set() for one in waiting)

    (slow_uv / "go").touch()
    assert Waiter(engine, definition).python().is_relative_to(root)


def test_who_wants_what_is_just_being_given_up_gets_it(engine, held):
    held.hold_stops()
    first = Waiter(engine, definition_of("one"))
    wait_until(lambda: held.begun)
    first.wanted.give_up()
    wait_until(lambda: held.stopped)
    second = Waiter(engine, definition_of("one"))
    wait_until(lambda: second.has_heard("one begins"))
    held.end("one")
    held.go_on_stopping()
    assert second.python() is not None
    assert held.begun == ["one", "one"]


def test_giving_up_after_the_end_changes_nothing(engine):
    waiter = Waiter(engine, definition_of("pytest"))
    python = waiter.python()
    waiter.wanted.give_up()
    assert waiter.wanted.python() == python


def test_uv_is_asked_for_pythons_beside_everything_else(engine, monkeypatch):
    asked, go = threading.Event(), threading.Event()

    def slow():
        asked.set()
        go.wait(SOON)
        return []

    monkeypatch.setattr(pythons, "installed_interpreters", slow)
    other = Waiter(engine, definition_of("pytest", conda_packages=["python=3.6"]))
    assert asked.wait(SOON)
    assert Waiter(engine, definition_of("pytest")).python() == Path(sys.executable)
    assert not other.is_told.is_set()
    go.set()
    assert other.python() == Path(sys.executable)
    assert other.has_heard("Python 3.6 is not on this machine")


def test_what_cannot_be_followed_fails_at_once(engine):
    for python, message in (
        ({"condaDependencies": ["numpy"]}, "must be an object"),
        ({"userManagedDependencies": True, "interpreterPath": "/no/python"}, "is not a program"),
    ):
        with pytest.raises(EnvironmentBuildError, match=message):
            Waiter(engine, {"python": python}).python()
        with pytest.raises(EnvironmentBuildError, match=message):
            engine.find({"python": python})


def test_all_who_wait_fail_alike(engine, held):
    waiting = [Waiter(engine, definition_of("one")) for _ in range(2)]
    wait_until(lambda: all(one.has_heard("one begins") for one in waiting))
    held.failure = EnvironmentBuildError("It cannot be.\nSaid the installer.")
    held.end("one")
    for one in waiting:
        with pytest.raises(EnvironmentBuildError, match="Said the installer"):
            one.python()
    assert held.begun == ["one"]
    # Who asks later tries again.
    held.failure = None
    assert Waiter(engine, definition_of("one")).python() is not None
    assert held.begun == ["one", "one"]


def test_a_broken_log_is_the_trouble_of_its_owner(engine, held):
    def broken(_line):
        raise RuntimeError("no log")

    ready = threading.Event()
    unlucky = engine.want(definition_of("one"), broken, ready.set)
    other = Waiter(engine, definition_of("one"))
    held.end("one")
    assert other.python() is not None
    assert ready.wait(SOON) and unlucky.python() == other.python()


def test_what_goes_wrong_again_and_again_fails_with_a_reason(engine, held, monkeypatch):
    monkeypatch.setattr(base, "FIRST_DELAY_SECONDS", 0.001)
    held.failure = RuntimeError("the builder is broken")
    held.end("one")
    with pytest.raises(EnvironmentBuildError, match="RuntimeError: the builder is broken"):
        Waiter(engine, definition_of("one")).python()
    assert len(held.begun) == base.MAX_TRIES
    monkeypatch.setattr(pythons, "unmet", None)
    with pytest.raises(EnvironmentBuildError, match="TypeError"):
        Waiter(engine, definition_of("two")).python()


# Builds that stand in the tables


def begin(workspace, *packages):
    """Have an environment built ahead of its first job; the id of the build."""
    with workspace.database.write() as session:
        register_environment(session, "mine", definition_of(*packages))
    return start_build(workspace, "mine", "latest").build_id


def log_of(workspace, build_id):
    return read_artifact(workspace, "ImageLogs", build_id, "build.log").decode()


def ends(workspace, build_id):
    """How a build ends."""
    wait_until(lambda: get_build(workspace, build_id).status != "Running")
    return get_build(workspace, build_id).status


def test_a_build_has_its_log_before_it_is_said_to_be_over(workspace, held):
    build = begin(workspace, "one")
    assert log_of(workspace, build) == "Environment mine, version 1\n"
    held.end("one")
    assert ends(workspace, build) == "Succeeded"
    assert "one begins\n" in log_of(workspace, build)
    assert log_of(workspace, build).endswith(" is ready.\n")
    held.failure = EnvironmentBuildError("It cannot be.\nSaid the installer.")
    held.end("two")
    build = begin(workspace, "two")
    assert ends(workspace, build) == "Failed"
    assert log_of(workspace, build).endswith("\nIt cannot be.\n")


def test_a_build_begins_again_after_a_restart(workspace, held):
    build = begin(workspace, "one")
    wait_until(lambda: held.begun)
    workspace.engines.environments.close()
    assert held.stopped == ["one"]
    assert get_build(workspace, build).status == "Running"
    start_engine(workspace)
    held.end("one")
    assert ends(workspace, build) == "Succeeded"
    assert "stopped during this build, which begins again.\n" in log_of(workspace, build)
    assert held.begun == ["one", "one"]


def test_a_build_that_nobody_told_of_is_found_in_the_tables(workspace, held, monkeypatch):
    held.end("one")
    monkeypatch.setattr(workspace.engines.environments, "build", lambda build_id: None)
    build = begin(workspace, "one")
    workspace.engines.environments._rescan()
    assert ends(workspace, build) == "Succeeded"


def test_a_build_waits_for_room_on_the_disk(workspace, held, monkeypatch):
    monkeypatch.setattr(base, "LONGEST_DELAY_SECONDS", 0.01)
    build = begin(workspace, "one")
    wait_until(lambda: held.begun)
    append, refusals = workspace.blobs.append, []

    def full(*_arguments):
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            refusals.append(error)
            raise BlobError("InsufficientStorage") from error

    monkeypatch.setattr(workspace.blobs, "append", full)
    held.end("one")
    wait_until(lambda: len(refusals) > 2 * base.MAX_TRIES)
    assert get_build(workspace, build).status == "Running"
    monkeypatch.setattr(workspace.blobs, "append", append)
    assert ends(workspace, build) == "Succeeded"
    assert log_of(workspace, build).endswith(" is ready.\n")


def test_a_build_whose_end_cannot_be_noted_fails_in_the_end(workspace, held, monkeypatch):
    monkeypatch.setattr(base, "FIRST_DELAY_SECONDS", 0.001)
    with workspace.database.write() as session:
        register_environment(session, "mine", definition_of("one"))

    def refuse(*_arguments):
        raise BlobError("InternalErrorOfLocalWorkspace")

    build = begin(workspace, "one")
    wait_until(lambda: held.begun)
    append = workspace.blobs.append
    monkeypatch.setattr(workspace.blobs, "append", refuse)
    held.end("one")
    assert ends(workspace, build) == "Failed"
    monkeypatch.setattr(workspace.blobs, "append", append)
