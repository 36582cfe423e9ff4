"""Listing blobs in the order of their names without reading more folders than needed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from local_workspace.services.blob.errors import BlobError
from local_workspace.services.blob.files import Layout
from local_workspace.services.blob.names import FILE_MARK, decode_segment, successor
from local_workspace.services.blob.properties import BlobProperties


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


def walk(layout: Layout, account: str, container: str, prefix: str, start: str) -> Iterator[str]:
    """The names of the blobs that begin with `prefix`, from `start` on, in the order of names.

    The order is that of Unicode code points, which is the order of the bytes in UTF-8.
    """
    parents = prefix.split("/")[:-1]
    try:
        folder = layout.folder(account, container, parents)
    except BlobError:
        return  # no blob can have such a name
    if folder is not None:
        yield from _walk(folder, "".join(f"{parent}/" for parent in parents), prefix, start)


def _walk(folder: str, base: str, prefix: str, start: str) -> Iterator[str]:
    found: list[tuple[str, str | None]] = []
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return  # removed since its parent was read
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            segment = decode_segment(entry.name)
            if segment is None:
                continue
            # With its '/', a folder sorts among the files as the names in it do.
            key = f"{base}{segment}/"
            wanted = key.startswith(prefix) or prefix.startswith(key)
            if wanted and (key >= start or start.startswith(key)):
                found.append((key, entry.path))
        elif entry.is_file(follow_symlinks=False):
            segment = decode_segment(entry.name.removesuffix(FILE_MARK))
            if segment is not None:
                key = base + segment
                if key.startswith(prefix) and key >= start:
                    found.append((key, None))
    # A blob named like `a/` and the folder `a` have equal keys but never lie in one folder.
    found.sort(key=lambda item: item[0])
    for key, path in found:
        if path is None:
            yield key
        else:
            yield from _walk(path, key, prefix, start)


def page(
    walker: Callable[[str], Iterator[str]],
    load: Callable[[str], BlobProperties | None],
    prefix: str,
    delimiter: str,
    start: str,
    limit: int | None,
) -> Listing:
    """At most `limit` blobs and common prefixes from `start` on.

    `walker` gives the names from a name on, `load` the properties of a name (None when the blob has
    vanished). With a `delimiter`, all names that continue beyond it count as one prefix.
    """
    entries: list[BlobProperties | str] = []
    names = walker(start)
    while (name := next(names, None)) is not None:
        if limit is not None and len(entries) == limit:
            return Listing(entries, name)
        position = name.find(delimiter, len(prefix)) if delimiter else -1
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
        names = walker(following)
    return Listing(entries, None)
