"""What the routes of every service share: the workspace, the body, the answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from fastapi import Depends, Request
from starlette.responses import JSONResponse as _JSONResponse
from starlette.responses import StreamingResponse

from local_workspace.errors import BodyTooLarge, NotFound
from local_workspace.fields import parse_json, unchecked_json
from local_workspace.identity.tokens import Principal
from local_workspace.service import Service
from local_workspace.workspace import LocalWorkspace

WORKSPACE_SCOPE = (
    "/subscriptions/{subscription_id}/resourceGroups/{resource_group}"
    "/providers/Microsoft.MachineLearningServices/workspaces/{workspace_name}"
)

# Bytes of a body that is held in memory: from a client with a token, and from anybody else, such as
# a browser with its form.
MAX_BODY = 64 * 1024 * 1024
MAX_BODY_WITHOUT_TOKEN = 64 * 1024
_CHUNK = 256 * 1024


class JSONResponse(_JSONResponse):
    """A JSON answer. Routes return it themselves: FastAPI's own encoder walks every value."""

    def render(self, content: Any) -> bytes:
        """`content` as UTF-8 JSON."""
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


class FileResponse(StreamingResponse):
    """The first `size` bytes of an open file, which is closed at the end.

    A log may grow while it is sent: what was there when it was opened is all that is announced.
    """

    def __init__(
        self,
        file: BinaryIO,
        size: int,
        *,
        media_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            _first_bytes(file, size),
            media_type=media_type,
            headers={**(headers or {}), "Content-Length": str(size)},
        )


def _first_bytes(file: BinaryIO, size: int) -> Iterator[bytes]:
    with file:
        while size > 0 and (chunk := file.read(min(_CHUNK, size))):
            size -= len(chunk)
            yield chunk


def sdk(feature: str) -> dict[str, Any]:
    """For `openapi_extra=`: the SDK feature that a route serves, as in the support matrix."""
    return {"x-sdk": feature}


def the_workspace(request: Request) -> LocalWorkspace:
    """The workspace of this server, whatever the path says."""
    return request.app.state.workspace


def the_services(request: Request) -> tuple[Service, ...]:
    """All services of this server."""
    return request.app.state.services


def get_workspace(request: Request) -> LocalWorkspace:
    """The workspace that the path names.

    Raises NotFound when the path's subscription, resource group or name is another one's.
    """
    workspace = the_workspace(request)
    settings, given = workspace.settings, request.path_params
    wanted = (settings.subscription_id, settings.resource_group, settings.workspace_name)
    asked = (given["subscription_id"], given["resource_group"], given["workspace_name"])
    if [part.lower() for part in asked] != [part.lower() for part in wanted]:
        raise NotFound(
            f"The Resource 'Microsoft.MachineLearningServices/workspaces/{asked[2]}' under "
            f"resource group '{asked[1]}' was not found. This local workspace is "
            f"'{wanted[2]}' in resource group '{wanted[1]}' of subscription '{wanted[0]}': "
            "`python -m local_workspace config` prints its config.json.",
            code="ResourceNotFound",
        )
    return workspace


def get_principal(request: Request) -> Principal:
    """Who asks; set by the authentication in front of the routes."""
    return request.scope["principal"]


async def raw_body(request: Request) -> bytes:
    """The body as bytes. Raises BodyTooLarge, as soon as it is known to be."""
    known = request.scope.get("principal") is not None
    limit = MAX_BODY if known else MAX_BODY_WITHOUT_TOKEN
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise BodyTooLarge(limit)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise BodyTooLarge(limit)
    return bytes(body)


def json_body(body: bytes = Depends(raw_body)) -> Any:
    """The parsed JSON body; an empty body is None.

    Raises BadRequest, which names the field, when it is not JSON that can be kept: see
    `fields.parse_json`.
    """
    return parse_json(body) if body else None


def unchecked_json_body(body: bytes = Depends(raw_body)) -> Any:
    """As `json_body`, for a route that checks the parts of the body, to refuse only some of them.

    Raises BadRequest when it is not JSON.
    """
    return unchecked_json(body) if body else None
