"""Templates, and how times, sizes and numbers are written on the pages."""

from __future__ import annotations

import json
import math
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from local_workspace.clock import utc_now
from local_workspace.store.tables.run_history import RunRow
from local_workspace.studio.masking import masked, without_secrets

_FOLDER = Path(__file__).parent
STATIC = _FOLDER / "static"

# Nothing but this server's own files: no script within a page, no address elsewhere.
_CONTENT_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": _CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_WAITING = ("NotStarted", "Provisioning", "Starting", "Preparing", "Queued", "Unapproved", "Paused")


def address(*segments: object, **query: object) -> str:
    """The address of a page: segments below `/studio`, and a query without what is None."""
    path = "/".join(quote(str(segment), safe="") for segment in ("studio", *segments))
    given = {key: value for key, value in query.items() if value not in (None, "")}
    return f"/{path}?{urlencode(given)}" if given else f"/{path}"


def moment(value: datetime | None) -> str | Markup:
    """A moment as `2026-01-31 09:05:00 UTC`, marked up as a time; a dash for None."""
    if value is None:
        return "–"
    value = value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value
    value = value.astimezone(timezone.utc)
    return Markup('<time datetime="{}">{}</time>').format(
        value.isoformat(timespec="seconds"), value.strftime("%Y-%m-%d %H:%M:%S UTC")
    )


def duration(start: datetime | None, end: datetime | None) -> str:
    """How long it took from `start` to `end`, or to now; a dash when it has not begun."""
    if start is None:
        return "–"
    end = end or utc_now()
    seconds = max(0.0, (end.replace(tzinfo=None) - start.replace(tzinfo=None)).total_seconds())
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def size(count: int) -> str:
    """A number of bytes in the largest unit that leaves at least one."""
    amount = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            break
        amount /= 1024
    if unit == "bytes":
        return "1 byte" if count == 1 else f"{count} bytes"
    return f"{amount:.1f} {unit}"


def number(value: Any) -> str:
    """A value of a metric: numbers with six significant digits, everything else as text."""
    if isinstance(value, bool) or value is None:
        return "–" if value is None else str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.6g}"
    return str(value)


def pretty(value: Any) -> str:
    """JSON for people, without what looks like a secret."""
    return json.dumps(without_secrets(value), indent=2, ensure_ascii=False, default=str)


def status_kind(status: str) -> str:
    """The colour of a status: done, failed, canceled, waiting or running."""
    if status in _WAITING:
        return "waiting"
    return {"Completed": "done", "Failed": "failed", "Canceled": "canceled"}.get(status, "running")


def title_of(run: RunRow) -> str:
    """What people call a run: the display name or the name that somebody gave it, or its id."""
    if run.display_name and run.display_name != run.run_id:
        return run.display_name
    # The SDK puts the names of the parents before that of a child run, `run_{id}>a child`, and
    # gives every interactive run the name `run_{id}`.
    name = (run.name or "").rpartition(">")[2]
    return name if name and name != f"run_{run.run_id}" else run.run_id


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    templates.filters.update(
        moment=moment,
        size=size,
        number=number,
        pretty=pretty,
        status_kind=status_kind,
        title_of=title_of,
    )
    templates.globals.update(address=address, duration=duration, masked=masked)
    return templates


def page(template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """The page that `template` makes of `values`. Everything in them is escaped."""
    html = _templates().get_template(template).render(**values)
    return HTMLResponse(html, status, SECURITY_HEADERS)
