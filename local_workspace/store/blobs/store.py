"""The store of blobs as plain Python: what the service on the wire and the other services use."""

from __future__ import annotations

import base64
import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from local_workspace.store.blobs import blocks, containers, listing
from local_workspace.store.blobs.blob_errors import (
    BlobError,
    BlobNotFound,
    ContainerNotFound,
    os_errors,
)
from local_workspace.store.blobs.containers import ContainerProperties
from local_workspace.store.blobs.digests import md5_text, new_md5
from local_workspace.store.blobs.listing import Listing
from local_workspace.store.blobs.on_disk import CHUNK_SIZE, TemporaryFile, sweep, write_all
from local_workspace.store.blobs.properties import (
    APPEND_BLOB,
    BlobProperties,
    guess_content_type,
    new_properties,
)
from local_workspace.store.blobs.tree import BlobTree, Check, no_condition

# Up to this size the SDK sends a file in one request, whose MD5 Azure keeps; larger ones have none.
_MD5_LIMIT = 64 * 1024 * 1024


class BlobStore(BlobTree):
    """Accounts, containers and blobs as plain files below `root`.

    What is said of BlobTree holds for all methods: they may be called from any thread, raise
    BlobError and never leave a blob half changed.
    """

    def __init__(self, root: Path | str) -> None:
        super().__init__(root)
        self._room = blocks.Room()

    # Containers

    def create_container(
        self, account: str, container: str, metadata: Mapping[str, str] | None = None
    ) -> ContainerProperties:
        """Make a container. Raises BlobError `ContainerAlreadyExists`."""
        with os_errors(), self._locks.tree:
            return containers.create(self.layout, account, container, metadata or {})

    def container_exists(self, account: str, container: str) -> bool:
        """Whether the container exists."""
        with os_errors():
            return containers.exists(self.layout, account, container)

    def container_properties(self, account: str, container: str) -> ContainerProperties:
        """The properties of a container."""
        with os_errors():
            return containers.read(self.layout, account, container)

    def set_container_metadata(
        self, account: str, container: str, metadata: Mapping[str, str]
    ) -> ContainerProperties:
        """Replace the metadata of a container."""
        with os_errors(), self._locks.tree:
            containers.read(self.layout, account, container)
            return containers.write(self.layout, account, container, metadata)

    def delete_container(self, account: str, container: str) -> None:
        """Delete a container and all in it."""
        with os_errors():
            with self._locks.tree:
                discarded = containers.delete(self.layout, account, container)
            containers.discard(discarded)

    def container_names(self, account: str) -> list[str]:
        """The names of an account's containers, sorted."""
        with os_errors():
            return containers.names(self.layout, account)

    # Blobs

    def list(
        self,
        account: str,
        container: str,
        prefix: str = "",
        delimiter: str = "",
        *,
        start: str = "",
        limit: int | None = None,
    ) -> Listing:
        """Blobs whose names begin with `prefix`, in the order of their names, from `start` on.

        With a `delimiter` ("/" for folders) names that go on beyond it are one entry of `prefixes`.
        `limit` bounds the number of entries; `next_start` of the result goes on from there.
        """

        def load(name: str) -> BlobProperties | None:
            with self._locks.tree:
                found = self._load(account, container, name)
            return found[1].properties if found else None

        with os_errors():
            if not containers.exists(self.layout, account, container):
                raise ContainerNotFound(container)
            walk = listing.Walk(self.layout, account, container, prefix, start)
            return listing.page(walk, load, delimiter, limit)

    def open(self, account: str, container: str, name: str) -> BinaryIO:
        """The data of a blob as a binary file, which stays this version whatever happens later."""
        with os_errors():
            return open(self.path_of(account, container, name), "rb")

    def put_bytes(
        self,
        account: str,
        container: str,
        name: str,
        data: bytes,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> BlobProperties:
        """Write `data` as a block blob; the content type follows from the name if not given."""
        properties = new_properties(
            name,
            content_type=content_type or guess_content_type(name),
            content_md5=md5_text(data),
            metadata=dict(metadata or {}),
        )
        with os_errors(), TemporaryFile(self.layout) as file:
            file.write(data)
            return self.commit(account, container, file, properties)

    def put_file(
        self,
        account: str,
        container: str,
        name: str,
        source_path: Path | str,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> BlobProperties:
        """Copy a file into a block blob; the content type follows from the name if not given."""
        with os_errors(), open(source_path, "rb") as source, TemporaryFile(self.layout) as file:
            size = os.fstat(source.fileno()).st_size
            digest = ""
            if size <= _MD5_LIMIT:
                hasher = new_md5()
                while chunk := source.read(CHUNK_SIZE):
                    hasher.update(chunk)
                    file.write(chunk)
                digest = base64.b64encode(hasher.digest()).decode()
            else:
                file.append_range(source.fileno(), 0, size)
            properties = new_properties(
                name,
                content_type=content_type or guess_content_type(name),
                content_md5=digest,
                metadata=dict(metadata or {}),
            )
            return self.commit(account, container, file, properties)

    def append(
        self,
        account: str,
        container: str,
        name: str,
        data: bytes,
        *,
        content_type: str = "text/plain; charset=utf-8",
    ) -> BlobProperties:
        """Append `data` to an append blob, which is made if there is none.

        The SDK takes text without a charset for Latin-1, and shows a run's log so.
        """
        with os_errors(), self._locks.of(account, container, name):
            if not self.exists(account, container, name):
                with TemporaryFile(self.layout) as file:
                    properties = new_properties(
                        name, blob_type=APPEND_BLOB, content_type=content_type
                    )
                    self.commit(account, container, file, properties)
            return self.append_with(
                account, container, name, len(data), lambda target: write_all(target, data)
            )

    def make_appendable(self, account: str, container: str, name: str) -> None:
        """Turn a block blob into an append blob with the same content. Raises BlobError."""
        with os_errors(), self._locks.of(account, container, name):
            before = self.properties(account, container, name)
            properties = new_properties(
                name, blob_type=APPEND_BLOB, content_type=before.content_type
            )
            with self.open(account, container, name) as source, TemporaryFile(self.layout) as file:
                file.append_range(source.fileno(), 0, before.size)
                self.commit(account, container, file, properties)

    # Blocks

    def stage_block(
        self, account: str, container: str, name: str, block_id: str, file: TemporaryFile
    ) -> None:
        """Keep `file` as the uncommitted block `block_id` (base64) of a blob.

        Raises BlobError for a wrong id, and `InvalidBlobType` when the blob is an append blob.
        """
        self._check_names(account, container, name)
        with os_errors(), self._locks.of(account, container, name):
            if not containers.exists(self.layout, account, container):
                raise ContainerNotFound(container)
            with self._locks.tree:
                found = self._load(account, container, name)
                if found and found[1].properties.blob_type == APPEND_BLOB:
                    raise BlobError("InvalidBlobType", "An append blob has no blocks to put.")
                blocks.stage(self.layout, account, container, name, block_id, file, self._room)

    def commit_blocks(
        self,
        account: str,
        container: str,
        entries: Iterable[tuple[str, str]],
        properties: BlobProperties,
        check: Check = no_condition,
    ) -> BlobProperties:
        """Make the blob `properties.name` of the blocks in `entries`.

        An entry is (kind, id): the kind `Committed`, `Uncommitted` or `Latest`, the id in base64.
        Raises BlobError `InvalidBlockList` when one of them does not exist.
        """
        name = properties.name
        self._check_names(account, container, name)
        # Locked as a whole: a block that is sent again meanwhile would be cut to its old size.
        with (
            os_errors(),
            self._locks.of(account, container, name),
            TemporaryFile(self.layout) as file,
        ):
            with self._present_data(account, container, name) as (descriptor, present):
                check(present)
                if present and present.blob_type == APPEND_BLOB:
                    raise BlobError("InvalidBlobType", "An append blob has no block list.")
                parts = blocks.resolve(self.layout, account, container, name, entries, present)
                blocks.assemble(parts, descriptor, file)
            committed = tuple((part.block_id, part.size) for part in parts)
            properties = dataclasses.replace(properties, blocks=committed)
            return self.commit(account, container, file, properties, check)

    def block_lists(
        self, account: str, container: str, name: str
    ) -> tuple[BlobProperties | None, dict[str, int]]:
        """The properties of the committed blob, if any, and its uncommitted blocks (id -> bytes).

        Raises BlobNotFound when there is neither.
        """
        with os_errors(), self._locks.tree:
            found = self._load(account, container, name)
            if found is None and not containers.exists(self.layout, account, container):
                raise ContainerNotFound(container)
            waiting = blocks.uncommitted(self.layout, account, container, name)
            if found is None and not waiting:
                raise BlobNotFound(name)
            return found[1].properties if found else None, waiting

    def sweep(self) -> None:
        """Remove what dead processes left, and uncommitted blocks that nobody will commit."""
        with os_errors(), self._locks.tree:
            sweep(self.layout, blocks.KEPT_SECONDS, blocks.ORPHANS_KEPT_SECONDS)

    @contextmanager
    def _present_data(
        self, account: str, container: str, name: str
    ) -> Iterator[tuple[int | None, BlobProperties | None]]:
        try:
            descriptor, present = self.open_descriptor(account, container, name)
        except BlobNotFound:
            yield None, None
            return
        try:
            yield descriptor, present
        finally:
            os.close(descriptor)
