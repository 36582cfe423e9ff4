"""What services and engines share: one local workspace. `startup.py` builds and starts it."""

from __future__ import annotations

from typing import Any

from local_workspace.events import EventBus
from local_workspace.identity.tokens import TokenIssuer
from local_workspace.paths import Paths
from local_workspace.settings import Settings
from local_workspace.store.blobs import BlobStore
from local_workspace.store.database import Database


class Engines:
    """The engines of a workspace by their names: `workspace.engines.jobs`.

    A service says in a Protocol of its own what it asks of one.
    """

    def __init__(self) -> None:
        self._by_name: dict[str, Any] = {}

    def add(self, name: str, engine: Any) -> None:
        """Have an engine found under `name`."""
        self._by_name[name] = engine

    def __getattr__(self, name: str) -> Any:
        try:
            return self._by_name[name]
        except KeyError:
            raise AttributeError(
                f"This workspace has no engine '{name}': local_workspace/startup.py starts engines."
            ) from None


class LocalWorkspace:
    """One local workspace: its paths, settings, records, keys, storage, events and engines."""

    def __init__(self, paths: Paths, settings: Settings, port: int) -> None:
        self.paths = paths
        self.settings = settings
        self.port = port
        self.events = EventBus()
        self.engines = Engines()
        self.database = Database(
            settings.database_url or f"sqlite:///{paths.database}", self.events.publish
        )
        self.tokens = TokenIssuer(settings)
        self.blobs = BlobStore(paths.blobs)

    @property
    def origin(self) -> str:
        """Scheme, host and port under which clients reach the server."""
        return f"https://localhost:{self.port}"

    @property
    def storage_suffix(self) -> str:
        """The storage suffix of this cloud.

        Clients build `https://{account}.blob.{suffix}/{container}`: everything before the `@` is
        the userinfo part of a URL, so that the connection goes to localhost without any name to
        resolve. azure-storage-blob finds the account before `.blob.core.`.
        """
        return f"core.x@localhost:{self.port}"

    @property
    def discovery_url(self) -> str:
        """Where the SDK asks which service lives where; the ticket stands in for a token."""
        ticket = self.tokens.ticket(f"discovery/{self.settings.workspace_id}")
        return f"{self.origin}/discovery/workspaces/{self.settings.workspace_id}/{ticket}"

    def storage_accounts(self) -> dict[str, str]:
        """Storage accounts by name, each with its base64 key."""
        return {self.settings.storage_account: self.settings.storage_key}

    def blob_url(self, container: str, name: str = "", account: str | None = None) -> str:
        """The URL of a container or blob as the storage clients write it, without a signature."""
        account = account or self.settings.storage_account
        path = f"{container}/{name}" if name else container
        return f"https://{account}.blob.{self.storage_suffix}/{path}"

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()
