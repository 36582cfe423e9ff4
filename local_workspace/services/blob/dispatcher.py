"""The blob service as an ASGI application: reads requests, sends responses, and waits for disks.

Everything that touches the disk or hashes runs in threads; the event loop only moves bytes.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from local_workspace.errors import ServiceError
from local_workspace.services.blob.operations import (
    HASHED_DATA,
    NO_BODY,
    SMALL_BODY,
    Operation,
    find_operation,
)
from local_workspace.services.blob.request import FileSlice, Request, Response
from local_workspace.services.blob.signed_requests import authenticate, authorize
from local_workspace.services.blob.upload import Upload
from local_workspace.services.blob.wire import error_xml
from local_workspace.store.blobs.blob_errors import BlobError, from_os_error
from local_workspace.store.blobs.on_disk import CHUNK_SIZE
from local_workspace.store.blobs.store import BlobStore

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
T = TypeVar("T")

log = logging.getLogger(__name__)

_DEFAULT_VERSION = "2021-12-02"
_SWEEP_SECONDS = 3600.0
# A page among the blobs is data, and may not act as one of the web pages of this server.
_AS_DATA = {"Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff"}
_THREADS = 16


class ClientDisconnect(Exception):
    """The client went away before its request was complete."""


class BlobService:
    """The Azure Blob service over a BlobStore, for the accounts of one workspace.

    `accounts` gives the names and base64 keys of the storage accounts; it is called for every
    request and must not block.
    """

    def __init__(
        self, store: BlobStore | Path | str, accounts: Callable[[], Mapping[str, str]]
    ) -> None:
        self.store = store if isinstance(store, BlobStore) else BlobStore(store)
        self._accounts = accounts
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="blob")
        self._sweep()  # what a process that was killed left
        self._next_sweep = time.monotonic() + _SWEEP_SECONDS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise ValueError(f"The blob service speaks HTTP, not {scope['type']}.")
        if time.monotonic() >= self._next_sweep:
            self._next_sweep = time.monotonic() + _SWEEP_SECONDS
            self._threads.submit(self._sweep)
        request_id = str(uuid.uuid4())
        try:
            response = await self._answer(scope, receive)
        except ClientDisconnect:
            return
        except ServiceError as error:
            response = _error_response(error, request_id)
        except OSError as error:
            answer = from_os_error(error)
            log.error("%s %s: %s", scope["method"], scope["path"], answer.message)
            response = _error_response(answer, request_id)
        await self._send(scope, response, request_id, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        request = Request.from_scope(scope)
        request.accounts = self._accounts()
        request.credential = authenticate(request, request.accounts)
        operation = find_operation(request)
        authorize(
            request.credential,
            operation.resource,
            operation.permissions,
            operation.needed_of_service_sas,
        )
        if operation.body == NO_BODY:
            return await self._in_thread(operation.run, self.store, request)
        _check_length(request, operation.max_bytes)
        if operation.body == SMALL_BODY:
            request.body = await _read_small(receive, operation.max_bytes)
            return await self._in_thread(operation.run, self.store, request)
        return await self._with_upload(operation, request, receive)

    async def _with_upload(
        self, operation: Operation, request: Request, receive: Receive
    ) -> Response:
        """Write the body to a file while it comes in, then run the operation on it.

        One chunk is written while the next is received. The last one is written, verified and made
        a blob in one go, so that a small blob costs one change of threads.
        """
        is_hashed = operation.body == HASHED_DATA
        upload = Upload(self.store, request.announced(digest=is_hashed), digest=is_hashed)
        request.upload = upload
        writing: asyncio.Future[None] | None = None

        def finish(rest: list[bytes]) -> Response:
            try:
                upload.write(rest)
                return operation.run(self.store, request)
            finally:
                upload.close()

        try:
            chunks: list[bytes] = []
            waiting = total = 0
            more = True
            while more:
                chunk, more = await _next_chunk(receive)
                chunks.append(chunk)
                waiting += len(chunk)
                total += len(chunk)
                if total > operation.max_bytes:
                    raise BlobError("RequestBodyTooLarge")
                if waiting >= CHUNK_SIZE and more:
                    if writing is not None:
                        await writing
                    writing = self._in_thread(upload.write, chunks)
                    chunks, waiting = [], 0
            if writing is not None:
                await writing
        except BaseException:
            if writing is not None:
                await asyncio.wait([writing])
            await self._in_thread(upload.close)
            raise
        return await self._in_thread(finish, chunks)

    async def _send(self, scope: Scope, response: Response, request_id: str, send: Send) -> None:
        """Send a response; a file is read one chunk ahead of what is being sent."""
        received = {name.lower(): value for name, value in scope["headers"]}
        headers = {**_AS_DATA, **response.headers, "x-ms-request-id": request_id}
        headers["x-ms-version"] = received.get(b"x-ms-version", _DEFAULT_VERSION.encode()).decode(
            "latin-1"
        )
        if client_id := received.get(b"x-ms-client-request-id"):
            headers["x-ms-client-request-id"] = client_id.decode("latin-1")
        is_head = scope["method"] == "HEAD"
        length = len(response.body) if response.content_length is None else response.content_length
        if response.status != 304:
            headers["Content-Length"] = str(length)
        start = {
            "type": "http.response.start",
            "status": response.status,
            "headers": [
                (name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()
            ],
        }
        file = response.file
        if file is None:
            await send(start)
            body = b"" if is_head or response.status == 304 else response.body
            await send({"type": "http.response.body", "body": body})
            return
        try:
            reading = self._in_thread(_read, file, 0)
            await send(start)
            sent = 0
            while True:
                data = await reading
                if not data and sent < file.length:
                    raise OSError("The file of the blob ends too early")  # cut by hand
                sent += len(data)
                more = sent < file.length
                if more:
                    reading = self._in_thread(_read, file, sent)
                await send({"type": "http.response.body", "body": data, "more_body": more})
                if not more:
                    return
        finally:
            await asyncio.wait([reading])
            os.close(file.descriptor)

    def _in_thread(self, function: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    def _sweep(self) -> None:
        try:
            self.store.sweep()
        except (BlobError, OSError):
            log.warning("Old temporary files could not be removed", exc_info=True)


def _read(file: FileSlice, position: int) -> bytes:
    return os.pread(
        file.descriptor, min(CHUNK_SIZE, file.length - position), file.offset + position
    )


def _check_length(request: Request, limit: int) -> None:
    length = request.integer_header("content-length")
    if length is None and "chunked" not in request.header("transfer-encoding").lower():
        raise BlobError("MissingContentLengthHeader")
    if length is not None and length > limit:
        raise BlobError("RequestBodyTooLarge", f"({length:,} bytes, at most {limit:,})")


async def _next_chunk(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), message.get("more_body", False)


async def _read_small(receive: Receive, limit: int) -> bytes:
    body = bytearray()
    more = True
    while more:
        chunk, more = await _next_chunk(receive)
        body += chunk
        if len(body) > limit:
            raise BlobError("RequestBodyTooLarge")
    return bytes(body)


def _error_response(error: ServiceError, request_id: str) -> Response:
    headers = {"x-ms-error-code": error.code, "Content-Type": "application/xml"}
    if isinstance(error, BlobError):
        headers |= dict(error.headers)
    return Response(error.status, headers, error_xml(error, request_id))


async def _lifespan(receive: Receive, send: Send) -> None:
    """Take part in start and stop, when the service is an application of its own."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
