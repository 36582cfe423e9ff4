"""`.` and `..` in the path of a URL, as every HTTP front end reads them (RFC 3986, 5.2.4)."""

from __future__ import annotations


def without_dots(path: str) -> str:
    """`path`, which is decoded and begins with a slash, without the segments `.` and `..`.

    Raises ValueError when a `..` would lead out of the first segment: the service or the container.
    """
    if "/." not in path:
        return path
    segments = path.split("/")[1:]
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            if len(kept) < 2:
                raise ValueError(f"a '..' leads out of '/{kept[0] if kept else ''}'")
            kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", "..") and len(kept) > 0:
        # What is left is a folder.
        kept.append("")
    return "/" + "/".join(kept)
