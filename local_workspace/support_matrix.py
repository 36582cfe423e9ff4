"""Writes `docs/support_matrix.md` from the routes: `python -m local_workspace.support_matrix`.

What a route does is the first line of its docstring, what the SDK calls it for is `sdk(...)` of
`local_workspace.http`. Titles, and what has no route of its own, are in each `SERVICE`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from local_workspace.app import create_api
from local_workspace.http import WORKSPACE_SCOPE
from local_workspace.service import Row
from local_workspace.startup import SERVICES

TARGET = Path(__file__).resolve().parent.parent / "docs" / "support_matrix.md"

_UNAVAILABLE = "not available: "
_HEAD = """# Support matrix

What the local workspace answers, by service, from its own routes: this page is written by
`python -m local_workspace.support_matrix`. Whatever is not in it is answered with status 404 and
the code `NotImplementedByLocalWorkspace`, in a sentence that names the request. Where an answer
differs from Azure's, [differences.md](differences.md) says how. `{WS}` stands for
`/subscriptions/…/providers/Microsoft.MachineLearningServices/workspaces/{name}`.
"""


def support_matrix() -> str:
    """The page, in Markdown."""
    routes: dict[str, dict[tuple[str, str], list[str]]] = {}
    unavailable: list[Row] = []
    # The routes are only listed: they need no workspace.
    for path, operations in create_api(object(), SERVICES).openapi()["paths"].items():
        # Sorted, because a route with several methods keeps them in a set.
        for method, operation in sorted(operations.items()):
            purpose, does = operation.get("x-sdk", ""), _first_line(operation)
            if purpose.startswith(_UNAVAILABLE):
                row = (does.removeprefix("Answer that "), purpose.removeprefix(_UNAVAILABLE))
                if row not in unavailable:
                    unavailable.append(row)
                continue
            request = f"`{method.upper()} {path.replace(WORKSPACE_SCOPE, '{WS}')}`"
            rows = routes.setdefault(operation["tags"][0], {})
            rows.setdefault((purpose, does), []).append(request)
    parts = [_HEAD]
    for service in SERVICES:
        if service.name in routes:
            parts.append(_service(service.title, routes[service.name]))
        if service.works:
            parts.append(
                f"## {service.title}\n\n" + _table(("What works", "On the wire"), service.works)
            )
    parts.append(
        "## Answered with an explanation\n\nThe local workspace knows these requests and says what "
        "to do instead.\n\n" + _table(("Answer", "In the SDK"), _as_code(unavailable))
    )
    # What is missing altogether comes first.
    in_order = sorted(SERVICES, key=lambda service: service.is_here)
    not_yet = [row for service in in_order for row in service.not_yet]
    parts.append("## Not here yet\n\n" + _table(("What", "In the SDK"), not_yet))
    return "\n".join(parts)


def _first_line(operation: dict[str, Any]) -> str:
    return operation.get("description", "").split("\n")[0].strip()


def _service(title: str, rows: dict[tuple[str, str], list[str]]) -> str:
    cells = [
        (does, ", ".join(f"`{name}`" for name in purpose.split(", ")), "<br>".join(requests))
        for (purpose, does), requests in rows.items()
    ]
    return f"## {title}\n\n" + _table(("What it does", "In the SDK", "Request"), cells)


def _as_code(rows: list[Row]) -> list[Row]:
    return [(does[:1].upper() + does[1:], f"`{name}`") for does, name in rows]


def _table(head: tuple[str, ...], rows: Any) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(support_matrix(), encoding="utf-8")
    print(f"Wrote {TARGET}.")
