"""Events: published after the commit that makes them true, to each subscriber on its own."""

from dataclasses import dataclass

import pytest
from sqlalchemy import event

from local_workspace.events import Event, RunEnded, tell
from local_workspace.services import run_history
from local_workspace.store.tables.run_history import RunRow


@dataclass(frozen=True)
class Happened(Event):
    what: str


def test_events_are_published_after_the_commit_in_their_order(workspace):
    seen = []
    workspace.events.subscribe((Happened,), seen.append)
    with workspace.database.write() as session:
        for what in ("one", "two", "one"):
            tell(session, Happened(what))
        assert seen == []
    # What is told twice has happened once.
    assert seen == [Happened("one"), Happened("two")]


def test_what_is_told_is_in_the_tables(workspace):
    found = []

    def look(_event):
        with workspace.database.read() as session:
            found.append(session.get(RunRow, "run") is not None)

    workspace.events.subscribe((Happened,), look)
    with workspace.database.write() as session:
        run_history.upsert_run(session, "experiment", "run")
        tell(session, Happened("a run"))
    assert found == [True]


def test_nothing_is_published_of_what_was_taken_back(workspace):
    seen = []
    workspace.events.subscribe((Event,), seen.append)
    with pytest.raises(RuntimeError), workspace.database.write() as session:
        tell(session, Happened("not at all"))
        raise RuntimeError("taken back")
    with workspace.database.write():
        pass
    assert seen == []


def test_a_commit_that_fails_publishes_nothing(workspace):
    seen = []
    workspace.events.subscribe((Event,), seen.append)

    def refuse(_session):
        raise RuntimeError("no commit")

    with pytest.raises(RuntimeError), workspace.database.write() as session:
        tell(session, Happened("not at all"))
        event.listen(session, "before_commit", refuse)
    assert seen == []


def test_the_error_of_a_subscriber_is_its_own(workspace):
    seen = []

    def broken(_event):
        raise RuntimeError("broken")

    workspace.events.subscribe((Happened,), broken)
    workspace.events.subscribe((Happened,), seen.append)
    with workspace.database.write() as session:
        tell(session, Happened("one"))
        tell(session, Happened("two"))
    assert seen == [Happened("one"), Happened("two")]


def test_a_subscriber_gets_the_kinds_that_it_asked_for(workspace):
    runs, everything = [], []
    workspace.events.subscribe((RunEnded,), runs.append)
    workspace.events.subscribe((Event,), everything.append)
    ended = RunEnded("run", "Completed", None, "run")
    workspace.events.publish([Happened("other"), ended])
    assert runs == [ended]
    assert everything == [Happened("other"), ended]
