"""The folder of a workspace: whose it is, who may look into it, and how all of it is deleted.

A mistyped `--root` must cost nobody a folder that was never ours: neither its files nor its
permissions.
"""

from __future__ import annotations

import re
import shutil
import stat
from pathlib import Path

from local_workspace.paths import Paths

# All that the server and the commands make there; the middle part of a name that ends in `.new` is
# a file that was being written when its process ended.
_OURS = re.compile(
    r"workspace\.json|workspace\.db(-wal|-shm|-journal)?|workspace\.db\.before-\w+"
    r"|server\.(json|lock)|sign-in\.html|blobs|certificates|environments|logs|runs|sdk"
    r"|(workspace\.json|workspace\.db|server|sign-in\.html)\.[\w.-]*new|\.writable-\d+"
)
_NAMES_SHOWN = 3


class RootError(Exception):
    """The folder cannot be used or deleted; the message says why and what to do."""


def prepare_root(paths: Paths) -> None:
    """Make the root and its log folder, for nobody but their owner.

    Raises RootError when that is not permitted, and when the folder is somebody else's.
    """
    try:
        paths.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not paths.settings.exists():
            _refuse_strangers(paths, "is not empty and no local workspace")
        if stat.S_IMODE(paths.root.stat().st_mode) != 0o700:
            paths.root.chmod(0o700)
        paths.logs.mkdir(mode=0o700, exist_ok=True)
        probe = paths.logs / ".writable"
        probe.touch()
        probe.unlink()
        paths.server_log.touch(mode=0o600)
        paths.server_lock.touch(mode=0o600)
    except OSError as error:
        raise RootError(
            f"The folder {paths.root} cannot be written ({error.strerror}: {error.filename}). "
            "Choose another one with --root, or change its permissions."
        ) from error


def check_deletable(paths: Paths) -> None:
    """Raise RootError unless the root is a workspace and holds nothing else."""
    if not paths.settings.exists():
        raise RootError(
            f"{paths.root} does not look like a local workspace, because it has no "
            f"{paths.settings.name}; left as it is."
        )
    _refuse_strangers(paths, "holds what is not the workspace's")


def delete_root(paths: Paths) -> None:
    """Delete the workspace of a root, and the root when nothing else is in it.

    What is a link is deleted as a link. `workspace.json` goes last, so that a deletion that was
    interrupted can be repeated. Raises RootError.
    """
    check_deletable(paths)
    try:
        for path in sorted(paths.root.iterdir(), key=lambda path: path == paths.settings):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        paths.root.rmdir()
    except OSError as error:
        raise RootError(
            f"Not all of {paths.root} could be deleted ({error.strerror}: {error.filename}). "
            "Change what stands in the way and repeat it."
        ) from error


def _refuse_strangers(paths: Paths, what: str) -> None:
    strangers = sorted(path.name for path in paths.root.iterdir() if not _is_ours(path))
    if strangers:
        names = ", ".join(strangers[:_NAMES_SHOWN])
        more = len(strangers) - _NAMES_SHOWN
        raise RootError(
            f"The folder {paths.root} {what}: {names}{f' and {more} more' if more > 0 else ''}. "
            "Left as it is. Choose another folder with --root, or move that away."
        )


def _is_ours(path: Path) -> bool:
    return _OURS.fullmatch(path.name) is not None
