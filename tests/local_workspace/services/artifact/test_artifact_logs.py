"""Logs that grow line by line."""

import threading

import pytest
from execution_helpers import wait_until

from local_workspace.paths import Paths
from local_workspace.services.artifact import (
    ArtifactLog,
    artifact_exists,
    artifact_log,
    read_artifact,
    write_artifact,
)
from local_workspace.settings import Settings
from local_workspace.store.blobs import BlobError
from local_workspace.workspace import LocalWorkspace

PLACE = ("ImageLogs", "build", "build.log")


@pytest.fixture
def workspace(tmp_path):
    workspace = LocalWorkspace(Paths(tmp_path), Settings(), port=1)
    yield workspace
    workspace.close()


@pytest.fixture
def log(workspace):
    return ArtifactLog(workspace, *PLACE)


@pytest.fixture
def appends(workspace, monkeypatch):
    """The bytes of each append to a blob."""
    appended = []
    append = workspace.blobs.append

    def noted(account, container, name, data):
        appended.append(data)
        return append(account, container, name, data)

    monkeypatch.setattr(workspace.blobs, "append", noted)
    return appended


@pytest.fixture
def patient(monkeypatch):
    """Nothing is written before it is asked for."""
    monkeypatch.setattr(artifact_log, "_SECONDS", 60.0)
    monkeypatch.setattr(artifact_log, "_writer", artifact_log._Writer())


def text_of(workspace):
    return read_artifact(workspace, *PLACE).decode()


def test_many_lines_are_one_append(workspace, log, appends, patient):
    lines = [f"line {number}" for number in range(1000)]
    for line in lines:
        log.say(line)
    assert appends == []
    log.flush()
    assert len(appends) == 1
    assert text_of(workspace).splitlines() == lines
    log.flush()
    assert len(appends) == 1


def test_lines_come_without_being_asked_for_and_cost_no_thread_afterwards(workspace, log):
    log.say("hello")
    wait_until(lambda: artifact_exists(workspace, *PLACE))
    assert text_of(workspace) == "hello\n"
    wait_until(lambda: artifact_log._writer._thread is None)
    log.say("again")
    wait_until(lambda: text_of(workspace) == "hello\nagain\n")


def test_many_lines_do_not_wait_and_an_append_is_never_too_large(workspace, log, appends, patient):
    long = "x" * (artifact_log._MOST_BYTES * 2)
    log.say("first")
    log.say(long)
    assert text_of(workspace) == f"first\n{long}\n"
    assert len(appends) == 3
    assert max(map(len, appends)) <= artifact_log._MOST_BYTES


def test_threads_do_not_lose_or_mix_lines(workspace, log, monkeypatch):
    monkeypatch.setattr(artifact_log, "_MOST_BYTES", 100)

    def talk(name):
        for number in range(50):
            log.say(f"{name} {number}")

    threads = [threading.Thread(target=talk, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.flush()
    said = text_of(workspace).splitlines()
    assert len(said) == 200
    for name in "abcd":
        of_one = [line for line in said if line.startswith(name)]
        assert of_one == [f"{name} {number}" for number in range(50)]


def test_what_cannot_be_written_is_kept_and_tried_again(workspace, log, monkeypatch):
    monkeypatch.setattr(artifact_log, "_SECONDS_AFTER_A_FAILURE", 0.01)
    refused = threading.Event()
    append = workspace.blobs.append

    def full(*_arguments):
        refused.set()
        raise BlobError("InsufficientStorage")

    monkeypatch.setattr(workspace.blobs, "append", full)
    log.say("one")
    with pytest.raises(BlobError):
        log.flush()
    refused.clear()
    log.say("two")
    assert refused.wait(30)
    monkeypatch.setattr(workspace.blobs, "append", append)
    wait_until(lambda: artifact_exists(workspace, *PLACE))
    wait_until(lambda: text_of(workspace) == "one\ntwo\n")


def test_a_users_file_in_its_place_stays(workspace, log):
    write_artifact(workspace, *PLACE, b"mine")
    log.say("hello")
    log.flush()
    assert text_of(workspace) == "mine"


def test_no_character_is_too_strange(workspace, log):
    log.say("half \ud800 of one")
    log.flush()
    assert text_of(workspace) == "half ? of one\n"
