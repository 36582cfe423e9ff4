"""The contract of engines: items in isolation, tried again, failed in the end, never dropped."""

import errno
import threading
from dataclasses import dataclass

import pytest
from execution_helpers import wait_until

from local_workspace.engines import base
from local_workspace.engines.base import Engine
from local_workspace.events import Event


@dataclass(frozen=True)
class Changed(Event):
    key: str


class Toy(Engine):
    """Its items are in `table`; one is over when its step, of `steps`, returns."""

    name = "toy"
    hears = (Changed,)

    def __init__(self, workspace):
        super().__init__(workspace)
        self.table = set()
        self.steps = {}
        self.looks = []
        self.failures = []
        self.hear = lambda event: [event.key]

    def add(self, key, step=lambda: None):
        self.steps[key] = step
        self.table.add(key)

    def unfinished(self):
        return sorted(self.table)

    def look(self, key):
        self.looks.append(key)
        if key in self.table:
            self.steps[key]()
            self.table.discard(key)

    def fail(self, key, reason):
        self.failures.append((key, reason))
        self.table.discard(key)

    def heard(self, event):
        return self.hear(event)

    @property
    def threads(self):
        return [one for one in threading.enumerate() if one.name.startswith("toy")]


class Fails:
    """Raises an error like `error` the first `times` times that it is called."""

    def __init__(self, error, times):
        self.error = error
        self.left = times
        self.calls = 0

    def __call__(self, *_arguments):
        self.calls += 1
        if self.left:
            self.left -= 1
            raise type(self.error)(*self.error.args)


@pytest.fixture
def delays(monkeypatch):
    """No time passes; the delays of failed steps are noted here instead."""
    noted = []
    schedule = Engine._schedule

    def at_once(engine, key, seconds):
        if seconds:
            noted.append(seconds)
            engine._not_before.pop(key, None)
        schedule(engine, key, 0.0)

    monkeypatch.setattr(Engine, "_schedule", at_once)
    return noted


@pytest.fixture
def toy(workspace):
    toy = Toy(workspace)
    yield toy
    toy.close()


def over(toy, key):
    wait_until(lambda: key not in toy.table)


def test_a_look_that_fails_is_repeated_later_and_later(toy, delays):
    toy.add("item", Fails(RuntimeError("broken"), base.MAX_TRIES - 1))
    toy.wake("item")
    over(toy, "item")
    assert toy.failures == []
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6]


def test_an_item_that_always_fails_is_failed_with_the_reason(toy, delays):
    step = Fails(ValueError("broken for good"), 1_000_000)
    toy.add("item", step)
    toy.wake("item")
    over(toy, "item")
    assert toy.failures == [("item", "ValueError: broken for good")]
    assert step.calls == base.MAX_TRIES


def test_failures_count_only_in_a_row(toy, delays):
    toy.add("item", Fails(RuntimeError("broken"), base.MAX_TRIES - 1))
    toy.wake("item")
    over(toy, "item")
    toy.add("item", Fails(RuntimeError("broken again"), base.MAX_TRIES - 1))
    toy.wake("item")
    over(toy, "item")
    assert toy.failures == []


def test_an_item_whose_end_cannot_be_written_is_failed_again_however_often(toy, delays):
    # More often than a power of two has room for in a number.
    refuse = Fails(RuntimeError("the database is away"), 1200)
    fail = toy.fail

    def fail_later(key, reason):
        refuse()
        fail(key, reason)

    toy.fail = fail_later
    toy.add("item", Fails(ValueError("broken for good"), 1_000_000))
    toy.wake("item")
    over(toy, "item")
    assert toy.failures == [("item", "ValueError: broken for good")]
    assert max(delays) == base.LONGEST_DELAY_SECONDS


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_waited_for_and_does_not_count(toy, delays, number):
    toy.add("item", Fails(OSError(number, "full"), 3 * base.MAX_TRIES))
    toy.wake("item")
    over(toy, "item")
    assert toy.failures == []


def test_the_end_of_a_step_beside_is_that_of_its_item(toy, delays):
    step = Fails(RuntimeError("broken beside"), 1_000_000)
    toy.add("item")
    # A look that gives its step away has not done it.
    toy.look = lambda key: key in toy.table and toy.aside(step)
    toy.wake("item")
    over(toy, "item")
    assert toy.failures == [("item", "RuntimeError: broken beside")]
    assert step.calls == base.MAX_TRIES


def test_a_step_that_goes_on_or_fails_holds_up_no_other_item(toy):
    go = threading.Event()
    toy.add("broken", Fails(RuntimeError("broken"), 1_000_000))
    toy.add("slow")
    look = toy.look
    toy.look = lambda key: toy.aside(lambda: go.wait(60)) if key == "slow" else look(key)
    toy.add("good")
    for key in ("broken", "slow", "good"):
        toy.wake(key)
    over(toy, "good")
    assert {"broken", "slow"} <= toy.table
    go.set()


def test_an_item_of_which_no_event_told_is_found(toy, monkeypatch):
    monkeypatch.setattr(base, "RESCAN_SECONDS", 0.01)
    toy.add("first")
    toy.start()
    over(toy, "first")
    toy.add("second")
    over(toy, "second")


def test_what_an_event_that_cannot_be_followed_concerns_is_found(toy):
    toy.start()
    toy.hear = Fails(RuntimeError("not understood"), 1)
    toy.add("item")
    toy.workspace.events.publish([Changed("item")])
    over(toy, "item")


def test_tables_that_cannot_be_read_are_read_again(toy, monkeypatch):
    monkeypatch.setattr(base, "LONGEST_DELAY_SECONDS", 0.01)
    broken = Fails(RuntimeError("the database is away"), 2)
    unfinished = toy.unfinished
    toy.unfinished = lambda: broken() or unfinished()
    toy.add("item")
    toy.start()
    over(toy, "item")


def test_an_event_wakes_the_items_that_it_concerns(toy):
    toy.start()
    toy.add("item")
    toy.add("other")
    toy.workspace.events.publish([Changed("item")])
    over(toy, "item")
    assert toy.looks == ["item"]


def test_close_waits_for_the_steps_that_have_begun_and_begins_no_other(toy):
    began, go = threading.Event(), threading.Event()

    def step():
        began.set()
        go.wait(60)
        assert toy.is_closing

    def wake_both():
        toy.wake("item")
        toy.wake("next")

    toy.add("first", wake_both)
    toy.add("item", step)
    toy.add("next")
    toy.wake("first")
    began.wait(60)
    closer = threading.Thread(target=toy.close)
    closer.start()
    wait_until(lambda: toy.is_closing)
    assert closer.is_alive()
    go.set()
    closer.join(60)
    assert toy.table == {"next"}
    assert toy.threads == []


def test_close_waits_for_a_step_beside_the_loop(toy):
    began, go = threading.Event(), threading.Event()
    ended = []

    def step():
        began.set()
        go.wait(60)
        ended.append("item")

    toy.look = lambda key: toy.aside(step)
    toy.wake("item")
    began.wait(60)
    closer = threading.Thread(target=toy.close)
    closer.start()
    wait_until(lambda: toy.is_closing)
    assert closer.is_alive()
    go.set()
    closer.join(60)
    assert ended == ["item"]
    assert toy.threads == []


def test_an_engine_without_items_has_no_thread(toy):
    toy.start()
    assert toy.threads == []
    toy.add("item")
    toy.wake("item")
    assert toy.threads
