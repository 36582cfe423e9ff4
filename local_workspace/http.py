"""What the routes of every service share: the workspace, the body, the answer."""

from __future__ import annotations

import json
from typing import Any

from fastapi import Depends, Request
from starlette.responses import JSONResponse as _JSONResponse

from local_workspace.errors import BadRequest, NotFound
from local_workspace.identity.tokens import Principal
from local_workspace.service import Service
from local_workspace.workspace import LocalWorkspace

WORKSPACE_SCOPE = (
    "/subscriptions/{subscription_id}/resourceGroups/{resource_group}"
    "/providers/Microsoft.MachineLearningServices/workspaces/{workspace_name}"
)


class JSONResponse(_JSONResponse):
    """A JSON answer. Routes return it themselves: FastAPI's own encoder walks every value."""

    def render(self, content: Any) -> bytes:
        """`content` as UTF-8 JSON."""
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


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
    """The body as bytes."""
    return await request.body()


def json_body(body: bytes = Depends(raw_body)) -> Any:
    """The parsed JSON body; an empty body is None.

    Raises BadRequest when the body is not JSON.
    """
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError as error:
        raise BadRequest(f"The body of the request is not JSON: {error}.") from error
