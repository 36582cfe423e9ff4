"""Listing blobs in the order of their names without reading more folders than needed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from local_workspace.store.blobs.blob_errors import BlobError
from local_workspace.store.blobs.names import FILE_MARK, decode_segment, successor
from local_workspace.store.blobs.on_disk import Layout
from local_workspace.store.blobs.properties import BlobProperties


@dataclass(frozen=True)
class Listing:
    """One page of a listing.

    `entries` are blobs (BlobProperties) and common prefixes (str) in the order of their names;
    `next_start` is the name that the next page starts with, or None after the last page.
    """

    entries: list[BlobProperties | str] = field(default_factory=list)
    next_start: str | None = None

    @property
    def blobs(self) -> list[BlobProperties]:
        """The blobs of the page."""
        return [entry for entry in self.entries if isinstance(entry, BlobProperties)]

    @property
    def prefixes(self) -> list[str]:
        """The common prefixes of the page, each ending with the delimiter."""
        return [entry for entry in self.entries if isinstance(entry, str)]


class Walk:
    """The names of the blobs that begin with `prefix`, from `start` on, in the order of names.

    The order is that of Unicode code points, which is the order of the bytes in UTF-8. While it is
    iterated, `start` may be moved on: what lies before is left out, and folders there are not read.
    """

    def __init__(
        self, layout: Layout, account: str, container: str, prefix: str, start: str
    ) -> None:
        self.prefix = prefix
        self.start = start
        parents = prefix.split("/")[:-1]
        self._base = "".join(f"{parent}/" for parent in parents)
        try:
            self._folder = layout.folder(account, container, parents)
        except BlobError:
            self._folder = None  # no blob can have such a name

    def __iter__(self) -> Iterator[str]:
        if self._folder is not None:
            yield from self._names(self._folder, self._base)

    def _names(self, folder: str, base: str) -> Iterator[str]:
        for key, path in self._read(folder, base):
            if not self._is_ahead(key, path):
                continue
            if path is None:
                yield key
            else:
                yield from self._names(path, key)

    def _read(self, folder: str, base: str) -> list[tuple[str, str | None]]:
        """What lies in a folder, sorted: names of blobs, and names of folders with their paths."""
        found: list[tuple[str, str | None]] = []
        try:
            entries = list(os.scandir(folder))
        except (FileNotFoundError, NotADirectoryError):
            return found  # removed since its parent was read
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                segment = decode_segment(entry.name)
                # With its '/', a folder sorts among the files as the names in it do.
                item = (f"{base}{segment}/", entry.path)
            elif entry.is_file(follow_symlinks=False):
                segment = decode_segment(entry.name.removesuffix(FILE_MARK))
                item = (f"{base}{segment}", None)
            else:
                continue
            if segment is not None and self._is_ahead(*item):
                found.append(item)
        # A blob named like `a/` and the folder `a` have equal keys but never lie in one folder.
        found.sort(key=lambda item: item[0])
        return found

    def _is_ahead(self, key: str, path: str | None) -> bool:
        if path is None:
            return key.startswith(self.prefix) and key >= self.start
        is_wanted = key.startswith(self.prefix) or self.prefix.startswith(key)
        return is_wanted and (key >= self.start or self.start.startswith(key))


def page(
    walk: Walk,
    load: Callable[[str], BlobProperties | None],
    delimiter: str,
    limit: int | None,
) -> Listing:
    """At most `limit` blobs and common prefixes of a walk.

    `load` gives the properties of a name (None when the blob has vanished). With a `delimiter`,
    all names that continue beyond it count as one prefix.
    """
    entries: list[BlobProperties | str] = []
    for name in walk:
        if limit is not None and len(entries) == limit:
            return Listing(entries, name)
        position = name.find(delimiter, len(walk.prefix)) if delimiter else -1
        if position < 0:
            blob = load(name)
            if blob is not None:
                entries.append(blob)
            continue
        common = name[: position + len(delimiter)]
        entries.append(common)
        following = successor(common)
        if following is None:
            break
        walk.start = following
    return Listing(entries, None)
