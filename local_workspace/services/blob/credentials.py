"""Who a request to the blob service comes from, once that is verified."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sas:
    """A shared access signature that has been verified.

    `kind` is "account", or the resource of a service SAS: "c" (container), "b" (blob) or "d"
    (folder).
    """

    kind: str
    permissions: str
    services: str = ""
    resource_types: str = ""


@dataclass(frozen=True)
class Credential:
    """The account that a request is for; `sas` is None when it was made with the account key."""

    account: str
    sas: Sas | None = None

    @property
    def may_overwrite(self) -> bool:
        """Whether a write may replace a blob; the permission `c` alone only makes new ones."""
        return self.sas is None or "w" in self.sas.permissions
