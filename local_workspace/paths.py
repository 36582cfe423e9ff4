"""Where a local workspace keeps what it knows."""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote

DEFAULT_ROOT = ".local_workspace"
_REPOSITORY = Path(__file__).resolve().parent.parent


class Paths:
    """The folders and files below the root of one local workspace."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root).expanduser().resolve()

    def command(self, name: str) -> str:
        """What to type to give this workspace a command, from the repository's folder."""
        chosen = (
            "" if self.root == _REPOSITORY / DEFAULT_ROOT else f" --root {quote(str(self.root))}"
        )
        return f"python run.py workspace {name}{chosen}"

    @property
    def settings(self) -> Path:
        """Names, ids and secrets of the workspace; readable by its owner only."""
        return self.root / "workspace.json"

    @property
    def database(self) -> Path:
        """The SQLite file with every record of the services."""
        return self.root / "workspace.db"

    @property
    def blobs(self) -> Path:
        """`blobs/{account}/{container}/{blob}`: plain files."""
        return self.root / "blobs"

    @property
    def certificates(self) -> Path:
        """The certificate authority of this installation and the server's certificate."""
        return self.root / "certificates"

    @property
    def logs(self) -> Path:
        """The server's logs."""
        return self.root / "logs"

    @property
    def server_log(self) -> Path:
        """What the server writes while it runs."""
        return self.logs / "server.log"

    @property
    def runs(self) -> Path:
        """Working folders of jobs."""
        return self.root / "runs"

    @property
    def environments(self) -> Path:
        """Virtual environments built for jobs, one folder a definition."""
        return self.root / "environments"

    @property
    def sdk(self) -> Path:
        """Caches the SDK keeps of this workspace, away from those of the user's Azure account."""
        return self.root / "sdk"

    @property
    def server_lock(self) -> Path:
        """Locked by the server as long as it lives; the lock falls with the process."""
        return self.root / "server.lock"

    @property
    def server_state(self) -> Path:
        """Process id and port of the running server."""
        return self.root / "server.json"
