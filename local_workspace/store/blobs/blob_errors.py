"""The errors of blobs, in one table of codes.

Codes, statuses and texts are those of "Blob service error codes" and "Common REST API error codes"
in the Azure Storage REST reference. The last group is ours: what only a local disk can answer.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from local_workspace.errors import ServiceError

_NOT_AUTHENTICATED = (
    "Server failed to authenticate the request. Make sure the value of Authorization header is "
    "formed correctly including the signature."
)
_NOT_AUTHORIZED = "This request is not authorized to perform this operation"

_CODES: dict[str, tuple[int, str]] = {
    "AppendPositionConditionNotMet": (412, "The append position condition specified was not met."),
    "AuthenticationFailed": (403, _NOT_AUTHENTICATED),
    "AuthorizationFailure": (403, f"{_NOT_AUTHORIZED}."),
    "AuthorizationPermissionMismatch": (403, f"{_NOT_AUTHORIZED} using this permission."),
    "AuthorizationProtocolMismatch": (403, f"{_NOT_AUTHORIZED} using this protocol."),
    "AuthorizationResourceTypeMismatch": (403, f"{_NOT_AUTHORIZED} using this resource type."),
    "AuthorizationServiceMismatch": (403, f"{_NOT_AUTHORIZED} using this service."),
    "AuthorizationSourceIPMismatch": (403, f"{_NOT_AUTHORIZED} using this source IP."),
    "BlobAlreadyExists": (409, "The specified blob already exists."),
    "BlobNotFound": (404, "The specified blob does not exist."),
    "BlockCountExceedsLimit": (409, "The committed block count cannot exceed the maximum limit."),
    "BlockListTooLong": (400, "The block list may not contain more than 50,000 blocks."),
    "CannotVerifyCopySource": (404, "The source of the copy could not be read."),
    "ConditionNotMet": (
        412,
        "The condition specified using HTTP conditional header(s) is not met.",
    ),
    "ContainerAlreadyExists": (409, "The specified container already exists."),
    "ContainerNotFound": (404, "The specified container does not exist."),
    "Crc64Mismatch": (
        400,
        (
            "The CRC64 value specified in the request did not match with the CRC64 value "
            "calculated by the server."
        ),
    ),
    "InvalidAuthenticationInfo": (
        401,
        (
            "Authentication information is not given in the correct format. Check the value of "
            "Authorization header."
        ),
    ),
    "InvalidBlobOrBlock": (400, "The specified blob or block content is invalid."),
    "InvalidBlobType": (409, "The blob type is invalid for this operation."),
    "InvalidBlockId": (400, "The specified block ID is invalid. The block ID must be Base64."),
    "InvalidBlockList": (400, "The specified block list is invalid."),
    "InvalidHeaderValue": (
        400,
        "The value for one of the HTTP headers is not in the right format.",
    ),
    "InvalidInput": (400, "One of the request inputs is not valid."),
    "InvalidMd5": (400, "The MD5 value specified in the request is invalid."),
    "InvalidMetadata": (400, "The metadata specified is invalid. It has invalid characters."),
    "InvalidQueryParameterValue": (
        400,
        "Value for one of the query parameters specified in the request URI is invalid.",
    ),
    "InvalidRange": (416, "The range specified is invalid for the current size of the resource."),
    "InvalidResourceName": (400, "The specified resource name contains invalid characters."),
    "InvalidUri": (400, "The requested URI does not represent any resource on the server."),
    "InvalidXmlDocument": (400, "The XML specified is not syntactically valid."),
    "LeaseNotPresentWithBlobOperation": (412, "There is currently no lease on the blob."),
    "LeaseNotPresentWithContainerOperation": (412, "There is currently no lease on the container."),
    "MaxBlobSizeConditionNotMet": (412, "The max blob size condition specified was not met."),
    "Md5Mismatch": (
        400,
        (
            "The MD5 value specified in the request did not match with the MD5 value calculated by "
            "the server."
        ),
    ),
    "MetadataTooLarge": (400, "The metadata specified exceeds the maximum permissible limit."),
    "MissingContentLengthHeader": (411, "Content-Length HTTP header is missing."),
    "MissingRequiredHeader": (400, "An HTTP header that's mandatory for this request is missing."),
    "MissingRequiredQueryParameter": (
        400,
        "A query parameter that's mandatory for this request is not specified.",
    ),
    "NoAuthenticationInformation": (
        401,
        (
            "Server failed to authenticate the request. Please refer to the information in the "
            "www-authenticate header."
        ),
    ),
    "NoPendingCopyOperation": (409, "There is currently no pending copy operation."),
    "OutOfRangeInput": (400, "One of the request inputs is out of range."),
    "OutOfRangeQueryParameterValue": (
        400,
        (
            "One of the query parameters specified in the request URI is outside the permissible "
            "range."
        ),
    ),
    "RequestBodyTooLarge": (
        413,
        "The request body is too large and exceeds the maximum permissible limit.",
    ),
    "SourceConditionNotMet": (
        412,
        "The source condition specified using HTTP conditional header(s) is not met.",
    ),
    "UnauthorizedBlobOverwrite": (
        403,
        "This request is not authorized to perform blob overwrites.",
    ),
    "InsufficientStorage": (
        413,
        (
            "The disk of the local workspace is full: nothing of this request was kept. Free some "
            "space and repeat it."
        ),
    ),
    "LocalFileConflict": (409, "The file system of the local workspace cannot hold this name."),
    "LocalFileDenied": (403, "The file system of the local workspace refused the access."),
    "InternalErrorOfLocalWorkspace": (400, "The file system of the local workspace failed."),
    "NotImplementedByLocalWorkspace": (400, "This is not implemented by the local workspace."),
}


class BlobError(ServiceError):
    """An error of the blob service; `code` is one of Azure Storage's error codes.

    `detail` is appended to the text of the code. `headers` go with the response.
    """

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        status: int | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        usual, text = _CODES[code]
        super().__init__(f"{text} {detail}".strip(), code=code, status=status or usual)
        self.headers = headers


class BlobNotFound(BlobError):
    """404: there is no such blob."""

    def __init__(self, name: str) -> None:
        super().__init__("BlobNotFound", f"(blob '{name}')")


class ContainerNotFound(BlobError):
    """404: there is no such container."""

    def __init__(self, container: str) -> None:
        super().__init__("ContainerNotFound", f"(container '{container}')")


def not_implemented(what: str) -> BlobError:
    """The error for an operation that Azure has and the local workspace has not."""
    return BlobError("NotImplementedByLocalWorkspace", f"({what})")


_BY_ERRNO = {
    errno.ENOSPC: "InsufficientStorage",
    errno.EDQUOT: "InsufficientStorage",
    errno.EFBIG: "RequestBodyTooLarge",
    errno.EACCES: "LocalFileDenied",
    errno.EPERM: "LocalFileDenied",
    errno.EROFS: "LocalFileDenied",
    errno.ENAMETOOLONG: "LocalFileConflict",
    errno.EISDIR: "LocalFileConflict",
    errno.ENOTDIR: "LocalFileConflict",
    errno.ENOTEMPTY: "LocalFileConflict",
    errno.ELOOP: "LocalFileConflict",
    errno.EILSEQ: "LocalFileConflict",
}


def from_os_error(error: OSError) -> BlobError:
    """The BlobError that tells a caller what the file system answered.

    4xx also for a failing disk: a client repeats a 5xx for minutes before it shows anything.
    """
    code = _BY_ERRNO.get(error.errno or 0, "InternalErrorOfLocalWorkspace")
    detail = "" if code == "InsufficientStorage" else f"({os.strerror(error.errno or 0)})"
    return BlobError(code, detail)


@contextmanager
def os_errors() -> Iterator[None]:
    """Turn what the file system raises into a BlobError."""
    try:
        yield
    except OSError as error:
        raise from_os_error(error) from error
