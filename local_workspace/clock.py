"""Time as the services write it: always UTC."""

from __future__ import annotations

from datetime import datetime, timezone


def utc_now() -> datetime:
    """The present moment as an aware datetime in UTC."""
    return datetime.now(timezone.utc)


def iso(moment: datetime | None) -> str | None:
    """`moment` in the form of the Azure ML services, such as `2026-01-31T09:05:00.123456+00:00`.

    A naive datetime (SQLite gives back no zone) is taken as UTC; None stays None.
    """
    if moment is None:
        return None
    return as_utc(moment).isoformat(timespec="microseconds")


def as_utc(moment: datetime) -> datetime:
    """`moment` in UTC; one without a zone is in UTC already: SQLite gives them back so."""
    if moment.tzinfo is None:
        return moment.replace(tzinfo=timezone.utc)
    return moment.astimezone(timezone.utc)


def parse_iso(text: str) -> datetime:
    """The aware UTC datetime of an ISO 8601 text; `Z` and seven-digit fractions are accepted.

    Raises ValueError when `text` is not a date and time.
    """
    text = text.strip()
    if text.endswith(("Z", "z")):
        text = text[:-1] + "+00:00"
    head, dot, tail = text.partition(".")
    if dot:
        digits = len(tail) - len(tail.lstrip("0123456789"))
        # Azure writes 100-nanosecond ticks; datetime takes exactly six digits before Python 3.11.
        text = f"{head}.{tail[:digits][:6].ljust(6, '0')}{tail[digits:]}"
    try:
        return as_utc(datetime.fromisoformat(text))
    except OverflowError as error:
        raise ValueError(f"{text} is beyond the years 1 to 9999") from error
