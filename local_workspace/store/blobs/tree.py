"""Single blobs on disk: read them, and change them in one step or not at all."""

from __future__ import annotations

import dataclasses
import os
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakValueDictionary

from local_workspace.store.blobs import blocks, containers
from local_workspace.store.blobs.blob_errors import (
    BlobError,
    BlobNotFound,
    ContainerNotFound,
    os_errors,
)
from local_workspace.store.blobs.names import (
    check_account,
    check_blob,
    check_container,
    encode_segment,
)
from local_workspace.store.blobs.on_disk import Layout, TemporaryFile, remove, sync_folders
from local_workspace.store.blobs.properties import (
    APPEND_BLOB,
    BlobProperties,
    Version,
    new_moment,
    read_version,
    stamped,
    version_of,
    write_versions,
)

Check = Callable[[BlobProperties | None], None]


class _Locks:
    """The locks of one root folder, shared by every store of this process that is open on it.

    `tree` guards the moments in which files change places; `of` gives the lock of one blob, held
    from the check of a condition to the change that depends on it, and always taken first.
    """

    def __init__(self) -> None:
        self.tree = threading.RLock()
        self._stripes = [threading.RLock() for _ in range(64)]

    def of(self, account: str, container: str, name: str) -> threading.RLock:
        key = zlib.crc32(f"{account}/{container}/{name}".encode())
        return self._stripes[key % len(self._stripes)]


_locks_of_roots: WeakValueDictionary[str, _Locks] = WeakValueDictionary()
_locks_guard = threading.Lock()


def _locks_of(root: str) -> _Locks:
    with _locks_guard:
        return _locks_of_roots.setdefault(root, _Locks())


def no_condition(_: BlobProperties | None) -> None:
    """A write that depends on nothing."""


class BlobTree:
    """The blobs below `root`, one at a time.

    Every method may be called from any thread. All raise BlobError: `ContainerNotFound`,
    `BlobNotFound`, names that are not allowed, a full disk (`InsufficientStorage`). A `check` is
    called with the present properties (None when there is no blob) right before a change and may
    raise BlobError to prevent it.
    """

    def __init__(self, root: Path | str) -> None:
        with os_errors():
            self.layout = Layout(Path(root))
        self._locks = _locks_of(self.layout.root)

    def exists(self, account: str, container: str, name: str) -> bool:
        """Whether the blob exists."""
        with os_errors(), self._locks.tree:
            return self._load(account, container, name) is not None

    def properties(self, account: str, container: str, name: str) -> BlobProperties:
        """The properties of a blob."""
        with os_errors(), self._locks.tree:
            return self._require(account, container, name)[1].properties

    def open_descriptor(
        self, account: str, container: str, name: str
    ) -> tuple[int, BlobProperties]:
        """The data file of a blob, open for reading, and its properties.

        Only the first `size` bytes are the blob: more may follow while a block is appended. The
        caller closes the descriptor.
        """
        with os_errors(), self._locks.tree:
            path, version = self._require(account, container, name)
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW), version.properties

    def path_of(self, account: str, container: str, name: str) -> Path:
        """The data file of a blob, for reading only."""
        with os_errors(), self._locks.of(account, container, name), self._locks.tree:
            path, version = self._require(account, container, name)
            if os.stat(path).st_size > version.properties.size:
                # What a process left that died while it appended.
                os.truncate(path, version.properties.size)
            return Path(path)

    def new_file(self) -> TemporaryFile:
        """A file to write the data of a blob or block into; close it in every case."""
        with os_errors():
            return TemporaryFile(self.layout)

    def commit(
        self,
        account: str,
        container: str,
        file: TemporaryFile,
        properties: BlobProperties,
        check: Check = no_condition,
    ) -> BlobProperties:
        """Make the blob `properties.name` of what was written to `file`, replacing any other."""
        name = properties.name
        self._check_names(account, container, name)
        with os_errors():
            status = file.seal(new_moment() * 100)
            with self._locks.of(account, container, name):
                with self._locks.tree:
                    found = self._load(account, container, name)
                    present = found[1] if found else None
                    check(present.properties if present else None)
                if present and (status.st_size, status.st_mtime_ns) == (
                    present.properties.size,
                    present.modified_ns,
                ):
                    # A file system with coarse times: two versions must differ.
                    os.utime(file.path, ns=(status.st_mtime_ns, status.st_mtime_ns + 10**9))
                    status = os.stat(file.path)
                properties = stamped(
                    dataclasses.replace(properties, size=file.size),
                    present.properties.created if present else None,
                )
                new = version_of(properties, status)
                versions = [new, present] if present else [new]
                record = ""
                with self._written(versions) as temporary, self._locks.tree:
                    try:
                        target = self._place(account, container, name)
                        record = self._put_record(account, container, name, temporary)
                        file.publish(target)
                    except BaseException:
                        if not present:
                            # Not before it is ours: it could be that of another blob, whose name
                            # this file system cannot tell from this one.
                            if record:
                                remove(record)
                            self._prune(account, container, name)
                        raise
                sync_folders(target, record)
                blocks.discard(self.layout, account, container, name)
        return properties

    def update(
        self,
        account: str,
        container: str,
        name: str,
        change: Callable[[BlobProperties], BlobProperties],
        check: Check = no_condition,
    ) -> BlobProperties:
        """Change the properties of a blob and leave its data."""
        with os_errors(), self._locks.of(account, container, name):
            with self._locks.tree:
                _, version = self._require(account, container, name)
                check(version.properties)
            changed = stamped(change(version.properties), version.properties.created)
            version = dataclasses.replace(version, properties=changed)
            record = self._replace_record(account, container, name, version)
            sync_folders(record)
            return changed

    def delete(self, account: str, container: str, name: str, check: Check = no_condition) -> None:
        """Delete a blob and its uncommitted blocks."""
        with os_errors(), self._locks.of(account, container, name):
            with self._locks.tree:
                path, version = self._require(account, container, name)
                check(version.properties)
                os.unlink(path)
                remove(self.layout.properties(account, container, name))
                self._prune(account, container, name)
            sync_folders(path)
            blocks.discard(self.layout, account, container, name)

    def append_with(
        self,
        account: str,
        container: str,
        name: str,
        size: int,
        write: Callable[[int], None],
        check: Check = no_condition,
    ) -> BlobProperties:
        """Append to an existing append blob the `size` bytes that `write` writes to a descriptor.

        Raises BlobError `InvalidBlobType` for a block blob. When it fails nothing is appended.
        """
        with os_errors(), self._locks.of(account, container, name):
            with self._locks.tree:
                path, version = self._require(account, container, name)
                present = version.properties
                check(present)
                if present.blob_type != APPEND_BLOB:
                    raise BlobError("InvalidBlobType", "Only an append blob can be appended to.")
                target = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                os.ftruncate(target, present.size)
                os.lseek(target, present.size, os.SEEK_SET)
                changed = dataclasses.replace(
                    present, size=present.size + size, block_count=present.block_count + 1
                )
                changed = stamped(changed, present.created)
                try:
                    write(target)
                    os.fsync(target)
                    new = version_of(changed, os.fstat(target))
                    record = self._replace_record(account, container, name, new)
                except BaseException:
                    os.ftruncate(target, present.size)
                    raise
                sync_folders(record)
                return changed
            finally:
                os.close(target)

    def _check_names(self, account: str, container: str, name: str) -> None:
        check_account(account)
        check_container(container)
        check_blob(name)

    def _load(self, account: str, container: str, name: str) -> tuple[str, Version] | None:
        """The data file of a blob and its version; None when there is none."""
        self._check_names(account, container, name)
        path = self.layout.find(account, container, name)
        if path is None:
            return None
        record = self.layout.properties(account, container, name)
        version = read_version(record, name, os.lstat(path))
        return (path, version) if version else None

    def _require(self, account: str, container: str, name: str) -> tuple[str, Version]:
        found = self._load(account, container, name)
        if found:
            return found
        if not containers.exists(self.layout, account, container):
            raise ContainerNotFound(container)
        raise BlobNotFound(name)

    def _place(self, account: str, container: str, name: str) -> str:
        target = self.layout.place(account, container, name)
        if os.path.lexists(target) and self._load(account, container, name) is None:
            raise BlobError(
                "LocalFileConflict",
                f"'{name}' differs only in upper and lower case, or in the form of its accents, "
                "from a blob that exists, and this file system cannot tell them apart.",
            )
        return target

    def _prune(self, account: str, container: str, name: str) -> None:
        """Remove the folders of a blob that is not there, unless they hold something else."""
        record = self.layout.properties(account, container, name)
        self.layout.prune(record, self.layout.properties_of_container(account, container))
        folder = self.layout.container(account, container)
        path = "/".join(encode_segment(segment) for segment in name.split("/"))
        self.layout.prune(os.path.join(folder, path), folder)

    @contextmanager
    def _written(self, versions: list[Version]) -> Iterator[str]:
        """A new file of properties, for `_put_record`; made before the tree is locked."""
        temporary = self.layout.new_temporary()
        try:
            write_versions(temporary, versions)
            yield temporary
        finally:
            remove(temporary)

    def _put_record(self, account: str, container: str, name: str, temporary: str) -> str:
        """Give a file of properties its place, which is returned."""
        record = self.layout.properties(account, container, name)
        try:
            os.replace(temporary, record)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(record), exist_ok=True)
            os.replace(temporary, record)
        return record

    def _replace_record(self, account: str, container: str, name: str, version: Version) -> str:
        with self._written([version]) as temporary, self._locks.tree:
            return self._put_record(account, container, name, temporary)
