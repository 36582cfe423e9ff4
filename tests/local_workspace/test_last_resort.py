"""An error that nobody expected: it is answered, written down once, and costs no connection."""

import http.client
import json
import logging
import threading

import pytest
import uvicorn
from fastapi import APIRouter, Depends
from starlette.responses import StreamingResponse

from local_workspace.app import Application
from local_workspace.connection import Connection
from local_workspace.http import JSONResponse, raw_body
from local_workspace.service import Service


def _service():
    # Below an address that needs no token.
    router = APIRouter(prefix="/metadata")

    @router.get("/defect")
    def defect():
        raise ZeroDivisionError("of the test")

    @router.post("/sum")
    def count(body: bytes = Depends(raw_body)):
        return JSONResponse({"bytes": len(body)})

    @router.get("/half")
    def half():
        def parts():
            yield b"the beginning"
            raise ZeroDivisionError("of the test, half-way")

        return StreamingResponse(parts())

    return Service(name="odd", title="Odd", router=router, prefixes=("metadata",))


async def _broken(_scope, _receive, _send):
    raise ZeroDivisionError("of a service with an application")


@pytest.fixture
def connection(workspace):
    """A connection to a server with a service that fails."""
    services = (
        _service(),
        Service(name="broken", title="Broken", application=lambda _: _broken, prefixes=("broken",)),
    )
    config = uvicorn.Config(
        Application(workspace, services),
        port=0,
        http=Connection,
        ws="none",
        log_config=None,
        access_log=False,
    )
    server = uvicorn.Server(config)
    ready = threading.Event()

    async def on_start(sockets=None, start=server.startup):
        await start(sockets)
        ready.set()

    server.startup = on_start
    thread = threading.Thread(target=server.run)
    thread.start()
    assert ready.wait(60)
    port = server.servers[0].sockets[0].getsockname()[1]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    yield connection
    connection.close()
    server.should_exit = True
    thread.join()


def ask(connection, method, path, body=None):
    connection.request(method, path, body)
    answer = connection.getresponse()
    return answer, answer.read()


@pytest.mark.parametrize("path", ["/metadata/defect", "/broken/x"])
def test_an_error_is_answered_once_and_the_connection_goes_on(connection, caplog, path):
    connection.connect()
    socket = connection.sock
    for _ in range(20):
        caplog.clear()
        with caplog.at_level(logging.INFO):
            answer, body = ask(connection, "GET", path)
        assert answer.status == 400
        error = json.loads(body)["error"]
        assert error["code"] == "InternalErrorOfLocalWorkspace"
        assert "ZeroDivisionError" in error["message"] and path in error["message"]
        [entry] = [record for record in caplog.records if record.levelno >= logging.ERROR]
        assert entry.exc_info[0] is ZeroDivisionError
        answer, body = ask(connection, "POST", "/metadata/sum", b"12345")
        assert json.loads(body) == {"bytes": 5}
        # The very same connection: http.client makes another one when the server closes it.
        assert connection.sock is socket


def test_an_answer_that_breaks_off_is_seen_to(connection, caplog):
    connection.request("GET", "/metadata/half")
    with pytest.raises(http.client.HTTPException):
        connection.getresponse().read()
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 1
