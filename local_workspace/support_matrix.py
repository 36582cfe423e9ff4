"""Writes `docs/support_matrix.md` from the routes: `python -m local_workspace.support_matrix`.

What a route does is the first line of its docstring, what the SDK calls it for is `sdk(...)` of
`local_workspace.http`. What has no route of its own is in `_BLOBS` and `_NOT_YET`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from local_workspace.app import create_api
from local_workspace.http import WORKSPACE_SCOPE

TARGET = Path(__file__).resolve().parent.parent / "docs" / "support_matrix.md"

_TITLES = {
    "discovery": "Cloud, sign-in and discovery",
    "arm": "Workspace (Azure Resource Manager)",
    "datastore": "Datastores",
    "dataset": "Datasets",
    "compute": "Compute",
    "environment": "Environments",
    "run_history": "Experiments and runs (run history)",
    "metric": "Metrics",
    "artifact": "Artifacts",
    "content": "Snapshots",
    "execution": "Submitted runs (execution)",
    "mlflow": "MLflow",
    "model_management": "Models",
    "studio": "Studio",
}
_UNAVAILABLE = "not available: "
_BLOBS = (
    (
        "Create, delete, list and describe containers",
        "`PUT`, `DELETE`, `GET`, `HEAD` on an account",
    ),
    ("List blobs, with prefix, delimiter, marker and page size", "`comp=list`"),
    ("Block blobs: whole, or staged in blocks and committed", "`PUT`, `comp=block`, `blocklist`"),
    ("Append blobs", "`comp=appendblock`"),
    ("Read whole or in part, with conditions", "`GET`, `HEAD`, `Range`, `If-Match` and the like"),
    ("Metadata and properties", "`comp=metadata`, `comp=properties`"),
    ("Copy from another blob of this workspace", "`x-ms-copy-source`"),
    ("Shared Key, account SAS and service SAS, all verified", "`Authorization`, `sig`"),
)
_NOT_YET = (
    ("Pipelines, published pipelines, schedules", "`azureml.pipeline`"),
    ("Web services, inference, local and remote deployment", "`Model.deploy`, `Webservice`"),
    ("Hyperparameter tuning", "`HyperDriveConfig`"),
    ("Automated ML", "`AutoMLConfig`"),
    ("Monitoring of web services", "`enable_app_insights`"),
    ("Data drift", "`DataDriftDetector`"),
    ("Compute instances, AKS, attached compute", "`ComputeInstance`, `AksCompute`"),
    ("File shares, Data Lake and SQL databases as data", "`Datastore.register_azure_file_share`"),
    ("Key vault", "`Workspace.get_default_keyvault`"),
    ("Workspace connections, private endpoints, role assignments", "`Workspace.*`"),
    ("SDK v2 and CLI v2", "`azure.ai.ml`"),
)
_HEAD = """# Support matrix

What the local workspace answers, by service, from its own routes: this page is written by
`python -m local_workspace.support_matrix`. Whatever is not in it is answered with status 404 and
the code `NotImplementedByLocalWorkspace`, in a sentence that names the request. Where an answer
differs from Azure's, [differences.md](differences.md) says how. `{WS}` stands for
`/subscriptions/…/providers/Microsoft.MachineLearningServices/workspaces/{name}`.
"""


def support_matrix() -> str:
    """The page, in Markdown."""
    services: dict[str, dict[tuple[str, str], list[str]]] = {}
    unavailable: list[tuple[str, str]] = []
    # The routes are only listed: they need no workspace.
    for path, operations in create_api(object()).openapi()["paths"].items():
        # Sorted, because a route with several methods keeps them in a set.
        for method, operation in sorted(operations.items()):
            purpose, does = operation.get("x-sdk", ""), _first_line(operation)
            if purpose.startswith(_UNAVAILABLE):
                row = (does.removeprefix("Answer that "), purpose.removeprefix(_UNAVAILABLE))
                if row not in unavailable:
                    unavailable.append(row)
                continue
            request = f"`{method.upper()} {path.replace(WORKSPACE_SCOPE, '{WS}')}`"
            rows = services.setdefault(operation["tags"][0], {})
            rows.setdefault((purpose, does), []).append(request)
    parts = [_HEAD]
    for tag, title in _TITLES.items():
        if tag in services:
            parts.append(_service(title, services.pop(tag)))
    for tag, rows in services.items():
        parts.append(_service(tag, rows))
    parts.append("## Blobs\n\n" + _table(("What works", "On the wire"), _BLOBS))
    parts.append(
        "## Answered with an explanation\n\nThe local workspace knows these requests and says what "
        "to do instead.\n\n" + _table(("Answer", "In the SDK"), _as_code(unavailable))
    )
    parts.append("## Not here yet\n\n" + _table(("What", "In the SDK"), _NOT_YET))
    return "\n".join(parts)


def _first_line(operation: dict[str, Any]) -> str:
    return operation.get("description", "").split("\n")[0].strip()


def _service(title: str, rows: dict[tuple[str, str], list[str]]) -> str:
    cells = [
        (does, ", ".join(f"`{name}`" for name in purpose.split(", ")), "<br>".join(requests))
        for (purpose, does), requests in rows.items()
    ]
    return f"## {title}\n\n" + _table(("What it does", "In the SDK", "Request"), cells)


def _as_code(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(does[:1].upper() + does[1:], f"`{name}`") for does, name in rows]


def _table(head: tuple[str, ...], rows: Any) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(support_matrix(), encoding="utf-8")
    print(f"Wrote {TARGET}.")
