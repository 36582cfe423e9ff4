"""One connection to the server: uvicorn's, with a limit on what comes ahead of a request's body."""

from __future__ import annotations

import json
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from local_workspace.errors import HeadTooLarge, error_body

# Of the request line and the headers together, in bytes.
MAX_HEAD = 64 * 1024


class Connection(HttpToolsProtocol):
    """Answers a head that is too large with 431 and closes the connection, whoever sends it.

    The parser keeps every byte of a head until it is complete, and has no limit of its own.
    """

    _head_bytes: int | None = None

    def on_message_begin(self) -> None:
        """A request begins."""
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is complete; a large one that came at once is for the application to refuse."""
        self._head_bytes = None
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Some bytes have come."""
        super().data_received(data)
        if self._head_bytes is None or self.transport.is_closing():
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD:
            self._refuse()

    def _refuse(self) -> None:
        error = HeadTooLarge(MAX_HEAD)
        body = json.dumps(error_body(error)).encode()
        head = (
            f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
