"""A file that grows while it is sent: what was there when it was opened is sent, and no more."""

import asyncio

import pytest

from local_workspace.http import FileResponse
from local_workspace.services import artifact
from local_workspace.services.artifact.routes import download
from local_workspace.studio.files import file_response, read_log

PLACE = (artifact.RUN_ORIGIN, "dcid.growing", "user_logs/std_log.txt")


def sent(answer):
    """What a client receives: the announced length, and the bytes."""
    received = {"body": b""}

    async def send(message):
        received["body"] += message.get("body", b"")
        for name, value in message.get("headers", ()):
            received[name.decode()] = value.decode()

    async def receive():
        await asyncio.Event().wait()

    asyncio.run(answer({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, send))
    return int(received["content-length"]), received["body"]


@pytest.mark.parametrize(
    "answer_of",
    [
        lambda workspace: download(*PLACE, workspace=workspace),
        lambda workspace: file_response(workspace, *PLACE, download=True),
    ],
)
def test_what_is_announced_is_sent(workspace, answer_of):
    first = b"a line\n" * 100_000
    artifact.append_artifact(workspace, *PLACE, first)
    answer = answer_of(workspace)
    artifact.append_artifact(workspace, *PLACE, b"one more line\n")
    assert sent(answer) == (len(first), first)
    assert sent(answer_of(workspace))[0] == len(first) + 14


def test_an_artifact_is_read_as_it_was_when_it_was_opened(workspace):
    artifact.append_artifact(workspace, *PLACE, b"12345")
    file, found = artifact.open_artifact(workspace, *PLACE)
    artifact.append_artifact(workspace, *PLACE, b"678")
    assert found.blob.size == 5
    assert sent(FileResponse(file, 5, media_type="text/plain")) == (5, b"12345")
    assert file.closed
    assert artifact.read_artifact(workspace, *PLACE) == b"12345678"


def test_the_log_of_a_page_ends_where_its_size_says(workspace):
    class Run:
        data_container_id = PLACE[1]

    artifact.append_artifact(workspace, *PLACE, b"12345")
    part = read_log(workspace, Run(), PLACE[2], 2)
    assert (part.text, part.start, part.next) == ("345", 2, 5)
