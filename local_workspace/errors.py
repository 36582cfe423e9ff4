"""Errors as values: what a service raises and how it looks on the wire.

Every mistake of a caller is a 4xx. The SDK repeats a request that was answered with 5xx for about
fifteen seconds, so even what is not implemented is a 404 here.
"""

from __future__ import annotations

from typing import Any

from local_workspace.clock import iso, utc_now


class ServiceError(Exception):
    """An error with a status and a code that a client of Azure ML understands."""

    status = 400
    code = "UserError"
    inner_code = "BadArgument"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        inner_code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        if status is not None:
            self.status = status
        if inner_code is not None:
            self.inner_code = inner_code


class BadRequest(ServiceError):
    """400: the request cannot be meant as it is."""


class Unauthorized(ServiceError):
    """401: no token, or one that does not hold."""

    status = 401
    code = "InvalidAuthenticationToken"
    inner_code = "Unauthorized"


class Forbidden(ServiceError):
    """403: a valid token that does not reach this far."""

    status = 403
    code = "AuthorizationFailed"
    inner_code = "Forbidden"


class NotFound(ServiceError):
    """404: what is asked for does not exist."""

    status = 404
    inner_code = "NotFound"


class Conflict(ServiceError):
    """409: the request contradicts what exists."""

    status = 409
    inner_code = "Conflict"


class StorageFull(ServiceError):
    """413: the disk below the local workspace has no room left."""

    status = 413
    code = "InsufficientStorage"
    inner_code = "InsufficientStorage"


class BodyTooLarge(ServiceError):
    """413: the body of the request is larger than is taken."""

    status = 413
    code = "RequestBodyTooLarge"
    inner_code = "RequestBodyTooLarge"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The body of the request is too large: at most {limit:,} bytes are taken here. Large "
            "files go to blobs."
        )


class HeadTooLarge(ServiceError):
    """431: the address and the headers of the request are longer than is taken."""

    status = 431
    code = "RequestHeaderFieldsTooLarge"
    inner_code = "RequestHeaderFieldsTooLarge"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The address and the headers of the request have more than {limit:,} bytes. Send what "
            "is long in the body."
        )


class NotImplementedHere(ServiceError):
    """404: Azure ML has this operation and the local workspace does not (yet)."""

    status = 404
    code = "NotImplementedByLocalWorkspace"
    inner_code = "NotImplemented"


def error_body(error: ServiceError, region: str = "local") -> dict[str, Any]:
    """The JSON body of `error`: the envelope that ARM and the Azure ML services share."""
    return {
        "error": {
            "code": error.code,
            "severity": None,
            "message": error.message,
            "messageFormat": None,
            "messageParameters": None,
            "referenceCode": None,
            "detailsUri": None,
            "target": None,
            "details": [],
            "innerError": {"code": error.inner_code, "innerError": None},
            "debugInfo": None,
        },
        "correlation": None,
        "environment": "local",
        "location": region,
        "time": iso(utc_now()),
        "statusCode": error.status,
    }
