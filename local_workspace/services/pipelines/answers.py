"""How errors look to the client of pipelines."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from local_workspace.errors import ServiceError, error_body
from local_workspace.http import JSONResponse


class PipelineRoute(APIRoute):
    """A route whose errors are told in PascalCase, too: the client of pipelines reads no other."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of the route."""
        handle = super().get_route_handler()

        async def handle_and_tell(request: Request) -> Response:
            try:
                return await handle(request)
            except ServiceError as error:
                told = {"Code": error.code, "Message": error.message}
                body = {**error_body(error), "Error": told}
                return JSONResponse(body, status_code=error.status)

        return handle_and_tell
