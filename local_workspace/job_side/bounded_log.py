"""The log of a job's process within a limit: its beginning as it comes, and its end.

The file is only ever appended to, because it is read while it is written. Only the standard
library, which any Python of a job's environment has.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

_CHUNK = 1024 * 1024
# Those of a letter in UTF-8, behind its first.
_LATER_BYTES = bytes(range(0x80, 0xC0))
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


class BoundedLog:
    """Writes what is printed to the descriptor `output`, which is the file `path`.

    The first half of `limit` (bytes) is written as it comes. The newest half of what follows is
    kept beside the file, and appended by `close` below a line that says how much was left out. What
    the disk does not take is left out, too: the script goes on.
    """

    def __init__(self, output: int, path: str, limit: int) -> None:
        self._output = output
        self._path = path
        self._limit = limit
        self._room = limit - limit // 2
        self._is_at_line_start = True
        self._end: _Ring | None = None
        self._left_out = 0
        self._problem = ""

    def write(self, data: bytes) -> None:
        """Take what has been printed."""
        if self._end is None:
            begin = data[: _whole_lines(data, self._room)]
            self._room -= len(begin)
            self._append(begin)
            data = data[len(begin) :]
            if not data:
                return
            half = _size(self._limit - self._limit // 2)
            self._say(f"This log has reached {half}: what follows is shown at the end of the run")
            self._end = _Ring(f"{self._path}.end", self._limit // 2)
        try:
            self._end.write(data)
        except OSError as error:
            self._problem = error.strerror or str(error)

    def close(self) -> None:
        """Append the end, if it is not there yet."""
        pieces: Iterator[bytes] = iter(())
        if self._end is not None:
            pieces = self._end.pieces()
            self._left_out += self._end.left_out
        first = next(pieces, b"")
        if self._end is not None and self._end.left_out:
            # What is shown begins with a whole line, if it has one.
            cut = first.find(b"\n") + 1 or _rest_of_a_letter(first)
            first, self._left_out = first[cut:], self._left_out + cut
        if self._left_out:
            limit = f"the limit of a log is {_size(self._limit)}: setting job_log_mib"
            self._say(f"{_size(self._left_out)} left out ({self._problem or limit})")
        self._append(first)
        for piece in pieces:
            self._append(piece)

    def _say(self, what: str) -> None:
        line = b"" if self._is_at_line_start else b"\n"
        self._append(line + f"... {what} ...\n".encode())

    def _append(self, data: bytes) -> None:
        while data:
            try:
                written = os.write(self._output, data)
            except OSError as error:
                self._problem = error.strerror or str(error)
                self._left_out += len(data)
                return
            self._is_at_line_start = data[written - 1 : written] == b"\n"
            data = data[written:]


class _Ring:
    """The newest `size` bytes of all that is written to it, in a file without a name."""

    def __init__(self, path: str, size: int) -> None:
        self._path = path
        self._size = size
        self._file: int | None = None
        self._kept = 0
        # Where the next byte belongs.
        self._position = 0
        self.left_out = 0

    def write(self, data: bytes) -> None:
        """Take `data`, and forget as much of the oldest. Raises OSError; then all is forgotten."""
        old = max(self._kept + len(data) - self._size, 0)
        try:
            newest = data[-self._size :]
            room = self._size - self._position
            self._put(newest[:room], self._position)
            self._put(newest[room:], 0)
        except OSError:
            self.left_out += self._kept + len(data)
            self._kept = self._position = 0
            raise
        self.left_out += old
        self._kept += len(data) - old
        self._position = (self._position + len(newest)) % self._size

    def _put(self, data: bytes, position: int) -> None:
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            # Nothing is left of it, however this process ends.
            os.unlink(self._path)
        while data:
            written = os.pwrite(self._file, data, position)
            data, position = data[written:], position + written

    def pieces(self) -> Iterator[bytes]:
        """What is kept, the oldest first."""
        position, left = (self._position - self._kept) % self._size, self._kept
        while left and self._file is not None:
            data = os.pread(self._file, min(_CHUNK, left, self._size - position), position)
            yield data
            left -= len(data)
            position = (position + len(data)) % self._size


def _whole_lines(data: bytes, most: int) -> int:
    """How many bytes of `data` to write when there is room for `most`.

    Whole lines, if it has any; else whole letters (of UTF-8).
    """
    if len(data) <= most:
        return len(data)
    end = data.rfind(b"\n", 0, most) + 1
    if end:
        return end
    while most and _rest_of_a_letter(data[most : most + 1]):
        most -= 1
    return most


def _rest_of_a_letter(data: bytes) -> int:
    """How many bytes of `data` belong to a letter that begins before it, in UTF-8."""
    return len(data) - len(data.lstrip(_LATER_BYTES))


def _size(count: float) -> str:
    unit = 0
    while count >= 1024 and unit < len(_UNITS) - 1:
        count, unit = count / 1024, unit + 1
    return f"{count:.1f}".rstrip("0").rstrip(".") + f" {_UNITS[unit]}"
