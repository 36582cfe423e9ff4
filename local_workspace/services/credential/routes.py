"""Routes of the credential service: the key vault."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Query

from local_workspace.errors import BadRequest, Forbidden
from local_workspace.http import (
    WORKSPACE_SCOPE,
    JSONResponse,
    get_principal,
    get_workspace,
    json_body,
    sdk,
)
from local_workspace.identity.tokens import Principal
from local_workspace.service import Service
from local_workspace.services.credential import parsing, records, wire
from local_workspace.services.credential.encryption import Cipher
from local_workspace.workspace import LocalWorkspace


def _users_secrets_only(
    system_secret: bool = Query(False, alias="systemSecret"),
) -> None:
    """Raise BadRequest for the secrets that Azure's services keep for themselves."""
    if system_secret:
        raise BadRequest("The key vault of a local workspace has no system secrets.")


def _cipher(workspace: LocalWorkspace = Depends(get_workspace)) -> Cipher:
    return Cipher(workspace.settings)


router = APIRouter(
    prefix="/credential/v2.0" + WORKSPACE_SCOPE, dependencies=[Depends(_users_secrets_only)]
)


@router.put("/secrets", openapi_extra=sdk("Keyvault.set_secret"))
def set_secret(
    workspace: LocalWorkspace = Depends(get_workspace),
    cipher: Cipher = Depends(_cipher),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """Keep a secret, encrypted; its earlier value is gone."""
    new = parsing.secret_of(body)
    with workspace.database.write() as session:
        secret = records.set_secret(session, cipher, new)
    return JSONResponse(wire.without_value(secret))


@router.put("/secrets:putbatch", openapi_extra=sdk("Keyvault.set_secrets"))
def set_secrets(
    workspace: LocalWorkspace = Depends(get_workspace),
    cipher: Cipher = Depends(_cipher),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """Keep several secrets: all of them, or none when one cannot be kept."""
    given = [parsing.secret_of(item) for item in parsing.batch_of(body)]
    with workspace.database.write() as session:
        kept = [records.set_secret(session, cipher, new) for new in given]
    return JSONResponse({"secrets": [wire.without_value(secret) for secret in kept]})


@router.get("/secrets", openapi_extra=sdk("Keyvault.list_secrets"))
def list_secrets(
    continuation: str = Query("", alias="continuationToken"),
    workspace: LocalWorkspace = Depends(get_workspace),
) -> JSONResponse:
    """List the names of secrets, page by page."""
    last = parsing.checked_name(continuation) if continuation else ""
    with workspace.database.read() as session:
        names = records.names_after(session, last)
    more = names[-1] if len(names) == records.PAGE_SIZE else None
    return JSONResponse({"value": [{"name": name} for name in names], "continuationToken": more})


@router.post("/secrets:getbatch", openapi_extra=sdk("Keyvault.get_secrets, Run.get_secrets"))
def get_secrets(
    workspace: LocalWorkspace = Depends(get_workspace),
    cipher: Cipher = Depends(_cipher),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """Give the values of several secrets, and the names of those that are not there."""
    names = parsing.names_of(body)
    with workspace.database.read() as session:
        return JSONResponse(wire.batch(records.find_secrets(session, cipher, names)))


@router.post("/secrets:deletebatch", openapi_extra=sdk("Keyvault.delete_secrets"))
def delete_secrets(
    workspace: LocalWorkspace = Depends(get_workspace), body: Any = Depends(json_body)
) -> JSONResponse:
    """Forget several secrets, as far as they are there."""
    names = parsing.names_of(body)
    with workspace.database.write() as session:
        records.delete_secrets(session, names)
    return JSONResponse({})


@router.get(
    "/secrets/{name}",
    openapi_extra=sdk("Keyvault.get_secret, Keyvault.get_secret_content_type, Run.get_secret"),
)
def get_secret(
    name: str,
    workspace: LocalWorkspace = Depends(get_workspace),
    principal: Principal = Depends(get_principal),
    cipher: Cipher = Depends(_cipher),
) -> JSONResponse:
    """Give the value of a secret."""
    if principal.role == "Reader":
        raise Forbidden("The role Reader may list the names of secrets, not read their values.")
    parsing.checked_name(name)
    with workspace.database.read() as session:
        return JSONResponse(wire.with_value(records.get_secret(session, cipher, name), name))


@router.delete("/secrets/{name}", openapi_extra=sdk("Keyvault.delete_secret"))
def delete_secret(name: str, workspace: LocalWorkspace = Depends(get_workspace)) -> JSONResponse:
    """Forget a secret."""
    parsing.checked_name(name)
    with workspace.database.write() as session:
        records.delete_secret(session, name)
    return JSONResponse({})


SERVICE = Service(
    name="credential",
    title="Key vault (credential)",
    router=router,
    prefixes=("credential",),
)
