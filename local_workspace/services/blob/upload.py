"""Data on their way in: counted, hashed, and written to a file that nobody sees yet."""

from __future__ import annotations

import base64
import binascii
import hmac

from local_workspace.services.blob.request import Request
from local_workspace.store.blobs.digests import crc64, new_md5
from local_workspace.store.blobs.errors import BlobError
from local_workspace.store.blobs.files import TemporaryFile
from local_workspace.store.blobs.store import BlobStore


class Upload:
    """The body of Put Blob, Put Block or Append Block.

    The first write opens the file. Close it in every case: what was not made a blob or block goes.
    """

    def __init__(self, store: BlobStore, request: Request, *, digest: bool) -> None:
        self._store = store
        self._file: TemporaryFile | None = None
        self._content_md5 = _header_digest(request, "content-md5", 16)
        self._blob_md5 = _header_digest(request, "x-ms-blob-content-md5", 16) if digest else b""
        self._content_crc64 = _header_digest(request, "x-ms-content-crc64", 8)
        self._expected_size = request.integer_header("content-length")
        needs_md5 = digest or bool(self._content_md5)
        self._md5 = new_md5() if needs_md5 else None
        self._crc64 = 0

    @property
    def file(self) -> TemporaryFile:
        """The file with the data."""
        if self._file is None:
            self._file = self._store.new_file()
        return self._file

    @property
    def md5(self) -> str:
        """The MD5 of the data in base64; empty when nobody asked for it."""
        return base64.b64encode(self._md5.digest()).decode() if self._md5 else ""

    def write(self, chunks: list[bytes]) -> None:
        """Append `chunks`."""
        for chunk in chunks:
            self.file.write(chunk)
            if self._md5:
                self._md5.update(chunk)
            if self._content_crc64:
                self._crc64 = crc64(chunk, self._crc64)

    def verify(self) -> None:
        """Raise BlobError unless the data are those that the request announced."""
        if self._expected_size is not None and self.file.size != self._expected_size:
            raise BlobError(
                "InvalidInput",
                f"The body has {self.file.size} bytes, Content-Length says {self._expected_size}.",
            )
        computed = self._md5.digest() if self._md5 else b""
        for expected in (self._content_md5, self._blob_md5):
            if expected and not hmac.compare_digest(expected, computed):
                raise BlobError("Md5Mismatch")
        if self._content_crc64 and self._content_crc64 != self._crc64.to_bytes(8, "little"):
            raise BlobError("Crc64Mismatch")

    def close(self) -> None:
        """Remove the data unless they have become a blob or block."""
        if self._file is not None:
            self._file.close()


def _header_digest(request: Request, name: str, size: int) -> bytes:
    value = request.header(name)
    if not value:
        return b""
    try:
        digest = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != size:
        code = "InvalidMd5" if size == 16 else "InvalidHeaderValue"
        raise BlobError(code, f"({name}: {value})")
    return digest
