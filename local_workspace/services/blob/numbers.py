"""Numbers in headers and parameters."""

from __future__ import annotations


def is_number(text: str) -> bool:
    """Whether `text` is a number of 1 to 18 digits, which fits every file."""
    return text.isascii() and text.isdigit() and len(text) <= 18
