"""Files that are there whole, or not at all, whenever the process or the machine ends."""

from __future__ import annotations

import os
import threading
from pathlib import Path


def write_whole(
    path: Path, content: str | bytes, *, mode: int = 0o644, is_durable: bool = False
) -> None:
    """Write `content` to `path`, so that a reader finds the old file or the new one.

    Text is UTF-8. `mode` are the permissions of the new file, from its first byte on.
    `is_durable`: return only when it would survive a power cut, too. Raises OSError.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            if is_durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
