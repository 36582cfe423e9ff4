"""Cloud metadata, managed identity, discovery, health: what a client asks before anything else."""

from __future__ import annotations

import hmac
import os
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from local_workspace import __version__
from local_workspace.errors import BadRequest, Forbidden, NotFound
from local_workspace.http import JSONResponse, raw_body, sdk, the_services, the_workspace
from local_workspace.service import Service
from local_workspace.settings import CLOUD_NAME
from local_workspace.workspace import LocalWorkspace

router = APIRouter()

_NO_SIGN_IN = {
    "error": "access_denied",
    "error_description": (
        "The local workspace knows no service principals and no interactive sign-in: it signs in "
        "with MSI_ENDPOINT and MSI_SECRET of .env. Leave out `auth=...`; if there is none, one of "
        "the two is missing or not of this workspace: bring .env up to date with "
        "`python -m local_workspace env`."
    ),
}


@router.get("/health", openapi_extra=sdk("python -m local_workspace status"))
def health(workspace: LocalWorkspace = Depends(the_workspace)) -> JSONResponse:
    """Say that the server is up, and which workspace it is."""
    return JSONResponse(
        {
            "status": "healthy",
            "version": __version__,
            "pid": os.getpid(),
            "workspaceId": workspace.settings.workspace_id,
        }
    )


@router.get("/metadata/endpoints", openapi_extra=sdk("import azureml.core"))
def cloud_metadata(workspace: LocalWorkspace = Depends(the_workspace)) -> JSONResponse:
    """Describe this cloud, in the form of Azure Stack's and Azure's own metadata endpoint."""
    cloud = cloud_description(workspace)
    # Some sign-ins of the SDK, that of a job among them, ask for the public cloud by name; one that
    # is not in the list is looked for at Azure, which takes up to 30 seconds.
    return JSONResponse([cloud, {**cloud, "name": "AzureCloud"}])


def cloud_description(workspace: LocalWorkspace) -> dict[str, Any]:
    """Endpoints and suffixes of this cloud; every one of them is this server."""
    origin, suffix = workspace.origin, workspace.storage_suffix
    # The SDK joins paths to the resource manager with a slash of their own.
    return {
        "name": CLOUD_NAME,
        "portal": origin,
        "authentication": {
            # A service principal's sign-in puts its tenant in the place of the last segment: the
            # first one stays `/adfs`; see `sign_in_configuration`.
            "loginEndpoint": f"{origin}/adfs/adfs",
            "audiences": [f"{origin}/", origin],
            "tenant": workspace.settings.tenant_id,
            "identityProvider": "AAD",
        },
        "resourceManager": origin,
        "sqlManagement": origin,
        "batch": origin,
        "gallery": origin,
        "media": origin,
        "graph": origin,
        "graphAudience": origin,
        "microsoftGraphResourceId": origin,
        "vmImageAliasDoc": origin,
        "activeDirectoryDataLake": origin,
        "appInsightsResourceId": origin,
        "logAnalyticsResourceId": origin,
        "synapseAnalyticsResourceId": origin,
        "appInsightsTelemetryChannelResourceId": origin,
        "attestationResourceId": origin,
        "ossrdbmsResourceId": origin,
        "suffixes": {
            "storage": suffix,
            "storageSyncEndpointSuffix": suffix,
            "keyVaultDns": "vault.local",
            "mhsmDns": "mhsm.local",
            "sqlServerHostname": "sql.local",
            "mysqlServerEndpoint": "mysql.local",
            "postgresqlServerEndpoint": "postgres.local",
            "mariadbServerEndpoint": "mariadb.local",
            "azureDataLakeStoreFileSystem": suffix,
            "azureDataLakeAnalyticsCatalogAndJob": suffix,
            "synapseAnalytics": "synapse.local",
            "acrLoginServer": "acr.local",
            "attestationEndpoint": "attestation.local",
        },
    }


@router.get("/msi/token", openapi_extra=sdk("MsiAuthentication"))
@router.get("/msi/token/", openapi_extra=sdk("MsiAuthentication"))
def managed_identity_token(
    request: Request, workspace: LocalWorkspace = Depends(the_workspace)
) -> JSONResponse:
    """Give a token to whoever knows the managed identity's secret (App Service, 2017-09-01)."""
    return _token(workspace, request.headers.get("secret", ""), request.query_params)


@router.post("/msi/token", openapi_extra=sdk("MsiAuthentication"))
def managed_identity_token_by_form(
    request: Request,
    workspace: LocalWorkspace = Depends(the_workspace),
    body: bytes = Depends(raw_body),
) -> JSONResponse:
    """The same for clients that post a form."""
    form = dict(parse_qsl(body.decode("utf-8", "replace")))
    return _token(workspace, request.headers.get("secret", ""), form)


def _token(workspace: LocalWorkspace, secret: str, parameters: Any) -> JSONResponse:
    if not hmac.compare_digest(secret.encode(), workspace.settings.msi_secret.encode()):
        raise Forbidden(
            "The secret of the managed identity (MSI_SECRET) is not the one of this workspace. "
            "Bring .env up to date with `python -m local_workspace env`.",
            code="AuthenticationFailed",
        )
    resource = parameters.get("resource")
    if not resource:
        raise BadRequest("The parameter 'resource' is missing: which service is the token for?")
    token, expires = workspace.tokens.issue(resource)
    return JSONResponse(
        {
            "access_token": token,
            # Seconds since 1970: newer versions of azure-identity read no dates.
            "expires_on": str(expires),
            "resource": resource,
            "token_type": "Bearer",
            "client_id": workspace.settings.client_id,
        }
    )


# The first is what a client has kept that met this workspace when it was older.
@router.get("/adfs/.well-known/openid-configuration", openapi_extra=sdk("sign-in"))
@router.get("/adfs/{tenant}/.well-known/openid-configuration", openapi_extra=sdk("sign-in"))
def sign_in_configuration(workspace: LocalWorkspace = Depends(the_workspace)) -> JSONResponse:
    """Name the sign-in endpoints of this cloud.

    When the managed identity refuses, the SDK turns to an interactive sign-in; code may ask for
    another one itself. The address begins and ends with `/adfs`, so that MSAL asks here and not at
    Microsoft's instance discovery; the endpoints below then say what to do.
    """
    base = f"{workspace.origin}/adfs/oauth2"
    return JSONResponse(
        {
            "issuer": f"{workspace.origin}/adfs",
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "device_authorization_endpoint": f"{base}/devicecode",
        }
    )


@router.post("/adfs/oauth2/devicecode", openapi_extra=sdk("sign-in"))
@router.post("/adfs/oauth2/token", openapi_extra=sdk("sign-in"))
def no_device_sign_in() -> JSONResponse:
    """Refuse a sign-in by device code or secret, saying how the local workspace signs in."""
    return JSONResponse(_NO_SIGN_IN, status_code=400)


@router.get("/adfs/oauth2/authorize", openapi_extra=sdk("sign-in"))
def no_browser_sign_in(redirect_uri: str = "", state: str = "") -> Response:
    """Refuse a sign-in by browser: back to the waiting program, on this machine only."""
    if urlsplit(redirect_uri).hostname not in ("localhost", "127.0.0.1"):
        raise BadRequest("A sign-in can only lead back to a program on this machine.")
    return RedirectResponse(f"{redirect_uri}?{urlencode({**_NO_SIGN_IN, 'state': state})}", 302)


@router.get(
    "/discovery/workspaces/{workspace_id}/{ticket}", openapi_extra=sdk("Workspace.from_config")
)
def discover(
    workspace_id: str,
    ticket: str,
    workspace: LocalWorkspace = Depends(the_workspace),
    services: tuple[Service, ...] = Depends(the_services),
) -> JSONResponse:
    """Name the address of every service: all are this server."""
    if not workspace.tokens.is_ticket(f"discovery/{workspace_id}", ticket):
        raise NotFound(f"There is no workspace '{workspace_id}' here.", code="ResourceNotFound")
    return JSONResponse(
        {
            name: workspace.origin + path
            for service in services
            for name, path in service.discovery.items()
        }
    )


SERVICE = Service(
    name="cloud",
    title="Cloud, sign-in and discovery",
    router=router,
    prefixes=("adfs", "discovery", "health", "metadata", "msi"),
    # Names that belong to no one service, and of which clients make the addresses of several.
    discovery=dict.fromkeys(("api", "catalog", "cert", "gallery"), ""),
)
