"""Files on disk: where everything lies, files that appear complete or not at all, fast copies."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
import stat
import time
from hashlib import sha256
from pathlib import Path
from typing import final

from local_workspace.store.blobs.blob_errors import BlobError, ContainerNotFound
from local_workspace.store.blobs.names import (
    FILE_MARK,
    PROPERTIES_MARK,
    encode_segment,
)

CHUNK_SIZE = 1024 * 1024  # bytes read or written at once

# The mark of the temporary files of this process, which are never swept: whoever makes one
# removes it. One process at a time serves a root, so that all others are of dead ones.
_PROCESS = secrets.token_hex(6)
_STARTED = time.time()


class Layout:
    """Where accounts, containers, blobs and everything beside them lie below `root`.

    `{account}/{container}/{blob}` are the data. `.system` holds what a listing must not show:
    properties, uncommitted blocks, container records and files that are being written.
    """

    def __init__(self, root: Path) -> None:
        self.root = os.path.realpath(root)
        system = os.path.join(self.root, ".system")
        self.temporary = os.path.join(system, "temporary")
        self._properties = os.path.join(system, "properties")
        self.blocks = os.path.join(system, "blocks")
        self._containers = os.path.join(system, "containers")
        for folder in (self.temporary, self._properties, self.blocks, self._containers):
            os.makedirs(folder, exist_ok=True)

    def account(self, account: str) -> str:
        """The folder of an account's containers."""
        return os.path.join(self.root, account)

    def container(self, account: str, container: str) -> str:
        """The folder of a container's data."""
        return os.path.join(self.root, account, container)

    def container_record(self, account: str, container: str) -> str:
        """The file of a container's properties."""
        return os.path.join(self._containers, account, f"{container}.json")

    def properties_of_container(self, account: str, container: str) -> str:
        """The folder of the properties of a container's blobs."""
        return os.path.join(self._properties, account, container)

    def properties(self, account: str, container: str, name: str) -> str:
        """The file of a blob's properties."""
        path = "/".join(encode_segment(segment) for segment in name.split("/"))
        return os.path.join(self._properties, account, container, path + PROPERTIES_MARK)

    def blocks_of_container(self, account: str, container: str) -> str:
        """The folder of the uncommitted blocks of a container's blobs."""
        return os.path.join(self.blocks, account, container)

    def blocks_of(self, account: str, container: str, name: str) -> str:
        """The folder of a blob's uncommitted blocks."""
        key = sha256(name.encode()).hexdigest()[:32]
        return os.path.join(self.blocks_of_container(account, container), key)

    def new_temporary(self) -> str:
        """A path for a file that is being written, on the file system of the data."""
        return os.path.join(self.temporary, f"{_PROCESS}-{secrets.token_hex(12)}")

    def folder(self, account: str, container: str, segments: list[str]) -> str | None:
        """The folder below a container that `segments` lead to, following no symbolic link."""
        path = self.container(account, container)
        for part in [None, *segments]:
            path = path if part is None else os.path.join(path, encode_segment(part))
            if not is_folder(path):
                return None
        return path

    def find(self, account: str, container: str, name: str) -> str | None:
        """The data file of a blob, or None when there is none."""
        *parents, last = name.split("/")
        folder = self.folder(account, container, parents)
        if folder is None:
            return None
        path = os.path.join(folder, encode_segment(last))
        for candidate in (path, path + FILE_MARK):
            if is_file(candidate):
                return candidate
        return None

    def place(self, account: str, container: str, name: str) -> str:
        """Where the data file of a blob belongs; makes its folders, moves files out of their way.

        Raises ContainerNotFound, or BlobError when something else than a blob is in the way.
        """
        path = self.container(account, container)
        if not is_folder(path):
            raise ContainerNotFound(container)
        *parents, last = (encode_segment(segment) for segment in name.split("/"))
        for parent in parents:
            path = os.path.join(path, parent)
            if is_file(path):
                os.rename(path, path + FILE_MARK)
            try:
                os.mkdir(path)
            except FileExistsError:
                if not is_folder(path):
                    raise _in_the_way(path) from None
        path = os.path.join(path, last)
        if is_folder(path) or is_file(path + FILE_MARK):
            path += FILE_MARK
        if os.path.lexists(path) and not is_file(path):
            raise _in_the_way(path)
        return path

    def prune(self, path: str, stop: str) -> None:
        """Remove the folders above `path` that have become empty, up to `stop`, which stays."""
        folder = os.path.dirname(path)
        while len(folder) > len(stop):
            try:
                os.rmdir(folder)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    return
                if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
                    raise
            folder = os.path.dirname(folder)


def _in_the_way(path: str) -> BlobError:
    return BlobError(
        "LocalFileConflict",
        f"'{os.path.basename(path)}' in the folder of the container is a link or a device.",
    )


def is_file(path: str) -> bool:
    """Whether `path` is a plain file and no symbolic link."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def is_folder(path: str) -> bool:
    """Whether `path` is a folder and no symbolic link."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


@final
class TemporaryFile:
    """A file that is being written; `publish` gives it its place, anything else removes it.

    It stays locked while its process lives, so that `sweep` knows what a dead one left behind.
    """

    def __init__(self, layout: Layout) -> None:
        self.path = layout.new_temporary()
        self.size = 0
        self.descriptor = os.open(
            self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666
        )
        self._published = False
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            self.close()
            raise

    def write(self, data: bytes) -> None:
        """Append `data`."""
        write_all(self.descriptor, data)
        self.size += len(data)

    def append_range(self, source: int, offset: int, count: int) -> None:
        """Append `count` bytes of the open file `source` from `offset`."""
        copy_range(source, self.descriptor, offset, count)
        self.size += count

    def seal(self, modified_ns: int) -> os.stat_result:
        """Stamp the file with its time of modification and see it safe on the disk."""
        os.utime(self.descriptor, ns=(modified_ns, modified_ns))
        os.fsync(self.descriptor)
        return os.fstat(self.descriptor)

    def publish(self, target: str) -> None:
        """Give the file its place, replacing what is there."""
        os.replace(self.path, target)
        self._published = True
        self.close()

    def close(self) -> None:
        """Close the file and, unless it was published, remove it."""
        if self.descriptor < 0:
            return
        if not self._published:
            remove(self.path)
        os.close(self.descriptor)
        self.descriptor = -1

    def __enter__(self) -> TemporaryFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data` at the present position."""
    written = os.write(descriptor, data)
    while written < len(data):
        data = data[written:]
        written = os.write(descriptor, data)


def copy_range(source: int, target: int, offset: int, count: int) -> None:
    """Copy `count` bytes from `offset` of one open file to the position of another.

    Inside the kernel where that exists (Linux; without copying at all on btrfs and XFS), else by
    reading and writing. Raises OSError when `source` ends too early.
    """
    in_kernel = hasattr(os, "copy_file_range")
    while count > 0:
        if in_kernel:
            try:
                copied = os.copy_file_range(source, target, count, offset)
            except OSError as error:
                if error.errno not in (errno.ENOSYS, errno.EXDEV, errno.EOPNOTSUPP, errno.EINVAL):
                    raise
                in_kernel = False
                continue
        else:
            data = os.pread(source, min(count, CHUNK_SIZE), offset)
            write_all(target, data)
            copied = len(data)
        if copied == 0:
            raise OSError(errno.EIO, "The file to copy from ends too early")
        offset += copied
        count -= copied


def remove(path: str) -> None:
    """Remove a file if it is there."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        os.unlink(path)


def sync_folders(*paths: str) -> None:
    """See the names of files safe on the disk: a loss of power does not undo their renaming."""
    for path in paths:
        try:
            descriptor = os.open(os.path.dirname(path), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # the last file in it was deleted meanwhile
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sweep(layout: Layout, block_seconds: float, orphan_seconds: float) -> None:
    """Remove what dead processes left: temporary files, and the uncommitted blocks of a blob.

    Blocks go when none was added for `block_seconds`, and already after `orphan_seconds` when it
    was an earlier process that took them: a client may go on with them after a restart.
    """
    for entry in os.scandir(layout.temporary):
        if entry.name.startswith(f"{_PROCESS}-"):
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)  # a container that was being deleted
        elif not _is_locked(entry.path):
            remove(entry.path)
    now = time.time()
    for folder, folders, files in os.walk(layout.blocks, topdown=False):
        added = os.lstat(folder).st_mtime
        limit = orphan_seconds if added < _STARTED else block_seconds
        if folder == layout.blocks or now - added < limit:
            continue
        for name in files:
            remove(os.path.join(folder, name))
        if not folders or not os.listdir(folder):
            os.rmdir(folder)


def _is_locked(path: str) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
