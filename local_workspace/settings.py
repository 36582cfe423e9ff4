"""Names, ids and secrets of one local workspace, kept in `workspace.json`."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import secrets
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from local_workspace.clock import iso, utc_now
from local_workspace.whole_files import write_whole

# Fixed, so that a config.json stays valid when the workspace behind it is made anew.
SUBSCRIPTION_ID = "10ca1000-0000-4000-8000-000000000001"
TENANT_ID = "10ca1000-0000-4000-8000-000000000002"
RESOURCE_GROUP = "local"
WORKSPACE_NAME = "local-workspace"
STORAGE_ACCOUNT = "localworkspace"
CLOUD_NAME = "LocalWorkspaceCloud"
REGION = "local"
DEFAULT_PORT = 7443

_GUIDS = ("workspace_id", "principal_id", "client_id", "subscription_id", "tenant_id")
# With a secret that can be guessed, or none, anybody on this machine would be let in.
_LEAST_SECRET = 32


class BrokenSettings(Exception):
    """`workspace.json` exists and cannot be read."""


def _guid() -> str:
    return str(uuid.uuid4())


def _storage_key() -> str:
    # An Azure storage key is 64 random bytes in base64.
    return base64.b64encode(secrets.token_bytes(64)).decode()


@dataclass
class Settings:
    """What makes one local workspace itself.

    `workspace_id` is new for every workspace that is made: the SDK keeps a cache of snapshots
    under its hash and would otherwise believe that the new workspace has the old one's files.
    """

    workspace_id: str = field(default_factory=_guid)
    principal_id: str = field(default_factory=_guid)
    client_id: str = field(default_factory=_guid)
    created: str = field(default_factory=lambda: iso(utc_now()) or "")
    subscription_id: str = SUBSCRIPTION_ID
    tenant_id: str = TENANT_ID
    resource_group: str = RESOURCE_GROUP
    workspace_name: str = WORKSPACE_NAME
    region: str = REGION
    storage_account: str = STORAGE_ACCOUNT
    storage_key: str = field(default_factory=_storage_key, repr=False)
    msi_secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    signing_key: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    port: int = 0
    # Where the managed identity gives tokens.
    token_port: int = 0
    database_url: str | None = None
    # How long the logs of ended runs stay; 0: for ever.
    keep_logs_days: int = 90
    # How long the log of one process of a job may be.
    job_log_mib: int = 256
    # Whether an environment fails when a package cannot be had in the version that is asked for.
    strict_environments: bool = False

    def __post_init__(self) -> None:
        for known in dataclasses.fields(self):
            value = getattr(self, known.name)
            if known.type == "str" and not (isinstance(value, str) and value.strip()):
                raise ValueError(f"{known.name} must be a text that is not empty")
        for name in _GUIDS:
            _check_guid(name, getattr(self, name))
        for name in ("msi_secret", "signing_key"):
            if len(getattr(self, name)) < _LEAST_SECRET:
                raise ValueError(f"{name} must be {_LEAST_SECRET} characters or more")
        if len(_decoded("storage_key", self.storage_key)) < _LEAST_SECRET:
            raise ValueError(f"storage_key must be base64 of {_LEAST_SECRET} bytes or more")
        if not re.fullmatch("[a-z0-9]{3,24}", self.storage_account):
            raise ValueError("storage_account must be 3 to 24 small letters and digits")
        for name in ("resource_group", "workspace_name"):
            if not re.fullmatch(r"[\w.()-]{1,90}", getattr(self, name), re.ASCII):
                raise ValueError(f"{name} must be up to 90 letters, digits and any of _-.()")
        for name in ("port", "token_port"):
            port = getattr(self, name)
            if not _is_whole(port) or not 0 <= port <= 65535:
                raise ValueError(f"{name} must be a whole number from 0 to 65535, not {port}")
        if self.database_url is not None and not isinstance(self.database_url, str):
            raise ValueError("database_url must be a text or null")
        if not _is_whole(self.job_log_mib) or self.job_log_mib < 1:
            raise ValueError(f"job_log_mib must be a whole number above 0, not {self.job_log_mib}")
        if not _is_whole(self.keep_logs_days) or self.keep_logs_days < 0:
            raise ValueError(f"keep_logs_days must be a number of days, not {self.keep_logs_days}")
        if not isinstance(self.strict_environments, bool):
            raise ValueError(
                f"strict_environments must be true or false, not {self.strict_environments}"
            )

    @property
    def scope(self) -> str:
        """The workspace's resource id in Azure Resource Manager."""
        return (
            f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{self.workspace_name}"
        )

    def save(self, path: Path) -> None:
        """Write to `path`, readable by the owner only, complete or not at all."""
        content = json.dumps(dataclasses.asdict(self), indent=2)
        write_whole(path, f"{content}\n", mode=0o600, is_durable=True)

    @classmethod
    def load(cls, path: Path) -> Settings:
        """Read `path`.

        Raises FileNotFoundError when there is none and BrokenSettings when it is not understood.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(values, dict):
                raise ValueError("it is not a JSON object")
            fields = dataclasses.fields(cls)
            unknown = set(values) - {known.name for known in fields}
            if unknown:
                raise BrokenSettings(
                    f"{path} was written by a newer version of this project (it sets "
                    f"{', '.join(sorted(unknown))}). Update the project, or choose another folder "
                    "with --root."
                )
            # Each reader would make up another one of these; the settings that came later are
            # numbers, and have a default.
            missing = [known.name for known in fields if known.type == "str"]
            missing = [name for name in missing if name not in values]
            if missing:
                raise ValueError(f"it does not set {', '.join(missing)}")
            return cls(**values)
        except FileNotFoundError:
            raise
        except (OSError, ValueError, RecursionError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise BrokenSettings(
                f"{path} cannot be read ({reason}). Restore the file, or delete all state with "
                "`python -m local_workspace reset`."
            ) from error


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_guid(name: str, value: str) -> None:
    try:
        uuid.UUID(value)
    except ValueError:
        raise ValueError(f"{name} must be a GUID") from None


def _decoded(name: str, value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        raise ValueError(f"{name} must be base64") from None
