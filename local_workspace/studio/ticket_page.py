"""The file with which a browser signs in.

It holds a form with the ticket and posts it, so that the ticket never stands in an address: those
are printed, remembered by browsers and seen by other users in the list of processes.
"""

from __future__ import annotations

import os
from html import escape
from pathlib import Path

from local_workspace.identity.sign_in import Tickets
from local_workspace.identity.tokens import TokenIssuer
from local_workspace.paths import Paths
from local_workspace.process import ServerState
from local_workspace.settings import Settings

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="referrer" content="no-referrer">
<title>Sign in to the local workspace</title>
</head>
<body>
<form method="post" action="{action}">
<input type="hidden" name="ticket" value="{ticket}">
<p>Your browser does not know the certificate authority of this workspace and may warn of it.
Its certificate is in {authority}.</p>
<button>Sign in to the local workspace</button>
</form>
<script>document.forms[0].submit()</script>
</body>
</html>
"""


def ticket_page(paths: Paths) -> Path:
    """Where the file is; it is gone as soon as its ticket is used."""
    return paths.root / "sign-in.html"


def write_ticket_page(paths: Paths, settings: Settings, server: ServerState) -> Path:
    """Write the file, readable by its owner only, with a new ticket for the running `server`."""
    ticket = Tickets(TokenIssuer(settings), server.pid).make()
    content = _PAGE.format(
        action=escape(f"https://localhost:{server.port}/studio/sign-in"),
        ticket=escape(ticket),
        authority=escape(str(paths.certificates / "authority.pem")),
    )
    path = ticket_page(paths)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
    return path
