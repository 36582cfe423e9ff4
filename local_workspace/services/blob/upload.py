"""Data on their way in: counted, hashed, and written to a file that nobody sees yet."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass

from local_workspace.store.blobs.blob_errors import BlobError
from local_workspace.store.blobs.digests import crc64, new_md5
from local_workspace.store.blobs.on_disk import TemporaryFile
from local_workspace.store.blobs.store import BlobStore


@dataclass(frozen=True)
class Announced:
    """What a request says of its body: digests are empty and `size` is None when it does not.

    `blob_md5` is that of the whole blob, which is kept with it.
    """

    size: int | None = None
    content_md5: bytes = b""
    blob_md5: bytes = b""
    content_crc64: bytes = b""


class Upload:
    """The body of Put Blob, Put Block or Append Block.

    The first write opens the file. Close it in every case: what was not made a blob or block goes.
    """

    def __init__(self, store: BlobStore, announced: Announced, *, digest: bool) -> None:
        self._store = store
        self._file: TemporaryFile | None = None
        self._announced = announced
        needs_md5 = digest or bool(announced.content_md5)
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
            if self._announced.content_crc64:
                self._crc64 = crc64(chunk, self._crc64)

    def verify(self) -> None:
        """Raise BlobError unless the data are those that the request announced."""
        if self._announced.size is not None and self.file.size != self._announced.size:
            raise BlobError(
                "InvalidInput",
                f"The body has {self.file.size} bytes, Content-Length says {self._announced.size}.",
            )
        computed = self._md5.digest() if self._md5 else b""
        for expected in (self._announced.content_md5, self._announced.blob_md5):
            if expected and not hmac.compare_digest(expected, computed):
                raise BlobError("Md5Mismatch")
        if self._announced.content_crc64 and self._announced.content_crc64 != self._crc64.to_bytes(
            8, "little"
        ):
            raise BlobError("Crc64Mismatch")

    def close(self) -> None:
        """Remove the data unless they have become a blob or block."""
        if self._file is not None:
            self._file.close()
