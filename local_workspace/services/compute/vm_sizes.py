"""The virtual machine sizes that a cluster can be made of: what Azure sells under each name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class VmSize:
    """One size; memory in GB (of 2^30 bytes), the temporary disk in MB (of 2^20 bytes)."""

    name: str
    family: str
    vcpus: int
    memory_gb: float
    gpus: int
    disk_mb: int

    @property
    def premium_storage(self) -> bool:
        """Whether the size takes premium disks: Azure marks those with an `s`."""
        features = self.name.removeprefix("Standard_").split("_")[0].lstrip("ABCDEFMNV")
        return "s" in features or "DS" in self.name

    def wire(self) -> dict[str, Any]:
        """As `AmlCompute.supported_vmsizes` gives it."""
        memory = int(self.memory_gb) if self.memory_gb == int(self.memory_gb) else self.memory_gb
        return {
            "name": self.name,
            "family": self.family,
            "vCPUs": self.vcpus,
            "gpus": self.gpus,
            "osVhdSizeMB": 1047552,
            "maxResourceVolumeMB": self.disk_mb,
            "memoryGB": memory,
            "lowPriorityCapable": True,
            "premiumIO": self.premium_storage,
            "supportedComputeTypes": ["AmlCompute"],
        }


@cache
def vm_sizes() -> dict[str, VmSize]:
    """Every size by its name in lower case, in the order of the table."""
    path = Path(__file__).with_name("vm_sizes.json")
    families = json.loads(path.read_text(encoding="utf-8"))["families"]
    return {
        row[0].lower(): VmSize(row[0], family, *row[1:])
        for family, rows in families.items()
        for row in rows
    }


def find_vm_size(name: str) -> VmSize | None:
    """The size called `name` in any spelling of case; None when there is none."""
    return vm_sizes().get(name.lower())


def families() -> dict[str, str]:
    """Every family by its name in lower case, in the order of the table."""
    return {size.family.lower(): size.family for size in vm_sizes().values()}
