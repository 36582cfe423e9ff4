"""What of a lesson's output a reader sees: all of it, but for known left-over lines."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable

# Lines that the packages print, that no setting stops and that say nothing to a reader. The first
# pattern is how a line begins: what might become one is held back until its end has come.
_LEFT_OVER = (
    # A `print` in the SDK's data engine, once for each read of a dataset.
    ("{'infer_column_types': ", re.compile(r"\{'infer_column_types': .*\}\s*")),
    # The SDK says it of methods that have not changed since 2019.
    (
        "Method ",
        re.compile(r"Method \w+: This is an experimental method, and may change at any time\..*"),
    ),
)


class Display:
    """Passes a stream of bytes on as text, as it comes, without the left-over lines."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self._line_begun = False  # part of the line was shown already

    def feed(self, data: bytes) -> None:
        """Show what has come; the beginning of what may be a left-over line waits for its end."""
        *lines, last = (self._held + self._decoder.decode(data)).split("\n")
        self._held = ""
        for line in lines:
            if self._line_begun or not is_left_over(line):
                self._write(line + "\n")
            self._line_begun = False
        if not self._line_begun and _may_become_left_over(last):
            self._held = last
        elif last:
            self._write(last)
            self._line_begun = True

    def close(self) -> None:
        """Show what was held back: the stream has ended."""
        rest = self._held + self._decoder.decode(b"", final=True)
        if rest and (self._line_begun or not is_left_over(rest)):
            self._write(rest + "\n")
        elif self._line_begun:
            self._write("\n")
        self._held, self._line_begun = "", False


def is_left_over(line: str) -> bool:
    """Whether a line is one of those that say nothing to a reader."""
    return any(pattern.fullmatch(line) for _, pattern in _LEFT_OVER)


def _may_become_left_over(begun: str) -> bool:
    return bool(begun) and any(
        begun.startswith(start) or start.startswith(begun) for start, _ in _LEFT_OVER
    )
