"""Virtual CPUs in use, and the limits a user sets on them.

This machine has no quota of its own, so that every limit is -1 (none) until `update_quotas` sets
one; a limit that is set holds for the clusters of that family together, at their maximum size.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from local_workspace.errors import BadRequest
from local_workspace.services.compute.vm_sizes import VmSize, families, find_vm_size
from local_workspace.settings import Settings
from local_workspace.store.tables.compute import ComputeRow, QuotaRow

_PROVIDER = "Microsoft.MachineLearningServices"
NO_LIMIT = -1


def check(session: Session, size: VmSize, max_nodes: int, *, apart_from: ComputeRow) -> None:
    """Raise BadRequest when `max_nodes` of `size` would exceed the limit of the family."""
    row = session.get(QuotaRow, size.family.lower())
    if row is None or row.vcpus == NO_LIMIT:
        return
    others = sum(
        vcpus * cluster.max_nodes
        for cluster, vcpus in _clusters(session, size.family)
        if cluster.key != apart_from.key
    )
    needed = others + size.vcpus * max_nodes
    if needed > row.vcpus:
        raise BadRequest(
            f"The quota of {row.vcpus} vCPUs for the family {size.family} would be exceeded: "
            f"{max_nodes} nodes of {size.name} need {size.vcpus * max_nodes} vCPUs and other "
            f"clusters need {others}. AmlCompute.update_quotas changes the quota.",
            code="ClusterCoreQuotaReached",
        )


def usages(session: Session, settings: Settings, expand: bool) -> list[dict[str, Any]]:
    """vCPUs of the nodes there are, in total and by family; with `expand` also by cluster."""
    limits = _limits(session)
    base = f"/subscriptions/{settings.subscription_id}/providers/{_PROVIDER}/locations"
    base = f"{base}/{settings.region}/usages"
    rows = []
    total = 0
    for family in families().values():
        clusters = list(_clusters(session, family))
        used = sum(vcpus * len(cluster.nodes) for cluster, vcpus in clusters)
        total += used
        title = f"{family} Cluster Dedicated vCPUs"
        limit = limits.get(family.lower(), NO_LIMIT)
        kind = "dedicatedCores/usages"
        rows.append(_usage(f"{base}/{family}", kind, used, limit, family, title, settings))
        for cluster, vcpus in clusters if expand else ():
            resource = f"{settings.scope}/computes/{cluster.name}/usages/{family}"
            kind = "workspaces/computes/dedicatedCores/usages"
            used = vcpus * len(cluster.nodes)
            limit = vcpus * cluster.max_nodes
            rows.append(_usage(resource, kind, used, limit, cluster.name, cluster.name, settings))
    title = "Total Cluster Dedicated Regional vCPUs"
    head = _usage(base, "totalCores/usages", total, NO_LIMIT, title, title, settings)
    return [head, *rows]


def quotas(session: Session, settings: Settings) -> list[dict[str, Any]]:
    """The limit of every family in this workspace."""
    limits = _limits(session)
    return [
        {
            "id": f"{settings.scope}/quotas/{family}",
            "type": f"{_PROVIDER}/workspaces/dedicatedCores/quotas",
            "limit": limits.get(family.lower(), NO_LIMIT),
            "unit": "Count",
            "name": {"value": family, "localizedValue": f"{family} Cluster Dedicated vCPUs"},
        }
        for family in families().values()
    ]


def update_quotas(session: Session, settings: Settings, wanted: Any) -> list[dict[str, Any]]:
    """Set limits; each item of `wanted` is answered with a status of its own.

    Statuses are `success`, `InvalidVMFamilyName`, `Failure`, and
    `InvalidQuotaBelowClusterMinimum` when clusters keep more vCPUs than that at their minimum.
    """
    items = wanted.get("value") if isinstance(wanted, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise BadRequest("The body must be a JSON object with a list of quotas in 'value'.")
    answers = []
    for item in items:
        name = str(item.get("id", "")).rsplit("/", 1)[-1]
        answers.append(
            {
                "id": f"{settings.scope}/quotas/{name}",
                "type": f"{_PROVIDER}/workspaces/quotas",
                "limit": item.get("limit"),
                "unit": "Count",
                "status": _update_quota(session, name, item.get("limit")),
            }
        )
    return answers


def _update_quota(session: Session, name: str, limit: Any) -> str:
    family = families().get(name.lower())
    if family is None:
        return "InvalidVMFamilyName"
    if limit is None:
        limit = NO_LIMIT
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < NO_LIMIT:
        return "Failure"
    kept = sum(vcpus * cluster.min_nodes for cluster, vcpus in _clusters(session, family))
    if limit != NO_LIMIT and limit < kept:
        return "InvalidQuotaBelowClusterMinimum"
    session.merge(QuotaRow(family=family.lower(), vcpus=limit))
    return "success"


def _clusters(session: Session, family: str) -> list[tuple[ComputeRow, int]]:
    """The clusters of a family, each with the vCPUs of one of its nodes."""
    found = []
    for row in session.execute(select(ComputeRow).order_by(ComputeRow.key)).scalars():
        size = find_vm_size(row.properties.get("vmSize", ""))
        if size is not None and size.family == family:
            found.append((row, size.vcpus))
    return found


def _limits(session: Session) -> dict[str, int]:
    return {row.family: row.vcpus for row in session.execute(select(QuotaRow)).scalars()}


def _usage(
    resource_id: str, kind: str, used: int, limit: int, name: str, title: str, settings: Settings
) -> dict[str, Any]:
    return {
        "id": resource_id,
        "amlWorkspaceLocation": settings.region,
        "type": f"{_PROVIDER}/{kind}",
        "unit": "Count",
        "currentValue": used,
        "limit": limit,
        "name": {"value": name, "localizedValue": title},
    }
