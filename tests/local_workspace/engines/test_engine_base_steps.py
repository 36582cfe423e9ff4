"""Steps beside the loop, and steps that fail, when an item is woken at the wrong moment."""

import errno
import threading

import pytest
from execution_helpers import wait_until

from local_workspace.engines import base
from local_workspace.engines.base import Engine
from local_workspace.paths import Paths
from local_workspace.settings import Settings
from local_workspace.store.blobs import BlobError
from local_workspace.workspace import LocalWorkspace


class Toy(Engine):
    """Does with its items what a test says."""

    name = "toy"

    def __init__(self, workspace):
        super().__init__(workspace)
        self.looks = {}
        self.seen = []
        self.failed = []

    def unfinished(self):
        return ()

    def look(self, key):
        self.seen.append(key)
        return self.looks[key]()

    def fail(self, key, reason):
        self.failed.append((key, reason))


@pytest.fixture
def toy(tmp_path):
    workspace = LocalWorkspace(Paths(tmp_path), Settings(), 1)
    toy = Toy(workspace)
    yield toy
    toy.close()
    workspace.close()


def test_an_item_is_not_looked_at_while_its_step_goes_on(toy):
    gate, go = threading.Event(), threading.Event()
    toy.looks["gate"] = lambda: gate.wait(60) and None
    # "first" wakes "second", which is about to be looked at already.
    toy.looks["first"] = lambda: toy.wake("second")

    def begin():
        if toy.seen.count("second") == 1:
            toy.aside(lambda: go.wait(60))

    toy.looks["second"] = begin
    toy.looks["last"] = lambda: None
    for key in ("gate", "first", "second"):
        toy.wake(key)
    gate.set()
    wait_until(lambda: "second" in toy.seen)
    toy.wake("last")
    wait_until(lambda: "last" in toy.seen)
    assert toy.seen == ["gate", "first", "second", "last"]
    go.set()
    wait_until(lambda: toy.seen == ["gate", "first", "second", "last", "second"])


def test_what_was_woken_while_it_failed_waits_for_its_next_try(toy, monkeypatch):
    monkeypatch.setattr(base, "FIRST_DELAY_SECONDS", 60.0)
    monkeypatch.setattr(base, "LONGEST_DELAY_SECONDS", 60.0)

    def break_down():
        toy.wake("item")
        raise RuntimeError("broken")

    toy.looks.update(item=break_down, last=lambda: None)
    toy.wake("item")
    wait_until(lambda: "item" in toy.seen)
    toy.wake("last")
    wait_until(lambda: "last" in toy.seen)
    assert toy.seen == ["item", "last"]


def test_an_item_whose_step_beside_failed_is_looked_at_after_it_was_failed(toy, monkeypatch):
    monkeypatch.setattr(base, "FIRST_DELAY_SECONDS", 0.001)

    def break_down():
        raise RuntimeError("broken")

    def begin():
        if not toy.failed:
            toy.aside(break_down)

    toy.looks["item"] = begin
    toy.wake("item")
    # The next look of its own accord would come after half a minute.
    wait_until(lambda: len(toy.seen) == base.MAX_TRIES + 1, seconds=20)
    assert toy.failed == [("item", "RuntimeError: broken")]


def test_a_full_disk_behind_a_blob_is_no_fault_of_the_item(toy, monkeypatch):
    monkeypatch.setattr(base, "LONGEST_DELAY_SECONDS", 0.01)

    def write():
        if len(toy.seen) <= 2 * base.MAX_TRIES:
            try:
                raise OSError(errno.ENOSPC, "No space left on device")
            except OSError as error:
                raise BlobError("InsufficientStorage") from error

    toy.looks["item"] = write
    toy.wake("item")
    wait_until(lambda: len(toy.seen) > 2 * base.MAX_TRIES)
    assert toy.failed == []
