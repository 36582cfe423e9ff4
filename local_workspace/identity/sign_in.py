"""Who may see the web pages.

A browser cannot sign in as the SDK does. `python -m local_workspace open` makes a ticket with the
key of the workspace, which only its owner can read, and has the browser post it. The server takes
a ticket once, and gives the browser a cookie for it. Neither is a token of the services.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete
from starlette.responses import Response

from local_workspace.identity.tokens import TokenIssuer
from local_workspace.store.tables.identity import EndedSessionRow
from local_workspace.workspace import LocalWorkspace

SESSION_SECONDS = 24 * 3600
TICKET_SECONDS = 120
COOKIE_PATH = "/studio"


class Tickets:
    """Makes the tickets of one server process, and takes each of them once.

    A ticket names the process it is meant for, so that one that was used is not good again after
    a restart, which forgets what was used.
    """

    def __init__(self, tokens: TokenIssuer, server_process: int) -> None:
        self._tokens = tokens
        self._purpose = f"studio/sign-in/{server_process}"
        self._used: dict[str, int] = {}
        self._lock = threading.Lock()

    def make(self) -> str:
        """A ticket that is good once within TICKET_SECONDS."""
        return _sealed(self._tokens, self._purpose, TICKET_SECONDS)

    def redeem(self, ticket: str) -> bool:
        """Whether `ticket` is good; after that it is not any more."""
        expires = _opened(self._tokens, self._purpose, ticket)
        if expires is None:
            return False
        with self._lock:
            now = int(time.time())
            self._used = {used: end for used, end in self._used.items() if end >= now}
            if ticket in self._used:
                return False
            self._used[ticket] = expires
            return True


def signed_in(scope_or_headers: Mapping[str, Any], workspace: LocalWorkspace) -> bool:
    """Whether a request comes from a browser that has signed in.

    `scope_or_headers` is an ASGI scope, or headers by lower-case name (Starlette's, a dictionary).
    """
    return session_of(scope_or_headers, workspace) is not None


def session_of(scope_or_headers: Mapping[str, Any], workspace: LocalWorkspace) -> str | None:
    """The valid session cookie of a request, or None."""
    for value in _cookies(scope_or_headers, cookie_name(workspace)):
        if _opened(workspace.tokens, "studio/session", value) is not None:
            with workspace.database.read() as session:
                if session.get(EndedSessionRow, _digest(value)) is None:
                    return value
    return None


def start_session(response: Response, workspace: LocalWorkspace) -> None:
    """Have `response` give the browser a session."""
    response.set_cookie(
        cookie_name(workspace),
        _sealed(workspace.tokens, "studio/session", SESSION_SECONDS),
        max_age=SESSION_SECONDS,
        path=COOKIE_PATH,
        secure=True,
        httponly=True,
        samesite="lax",
    )


def end_session(response: Response, workspace: LocalWorkspace, value: str) -> None:
    """End the session of a cookie for good, and have `response` take it from the browser."""
    expires = _opened(workspace.tokens, "studio/session", value)
    if expires is not None:
        with workspace.database.write() as session:
            session.execute(delete(EndedSessionRow).where(EndedSessionRow.expires < time.time()))
            session.merge(EndedSessionRow(digest=_digest(value), expires=expires))
    response.delete_cookie(
        cookie_name(workspace), path=COOKIE_PATH, secure=True, httponly=True, samesite="lax"
    )


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def cookie_name(workspace: LocalWorkspace) -> str:
    """The name of the session cookie.

    Browsers do not tell the ports of a host apart, so that two workspaces of one machine would
    overwrite each other's cookie if it did not carry the workspace in its name.
    """
    return f"__Secure-studio-{workspace.settings.workspace_id[:8]}"


def form_token(session: str, workspace: LocalWorkspace) -> str:
    """What a form carries to show that a page of this session made it."""
    return workspace.tokens.ticket(f"studio/form/{session}")


def is_form_token(session: str, token: str, workspace: LocalWorkspace) -> bool:
    """Whether `token` is that of the session."""
    return hmac.compare_digest(form_token(session, workspace).encode(), token.encode())


def _sealed(tokens: TokenIssuer, purpose: str, seconds: int) -> str:
    """A new value that is good for `purpose` and `seconds`: its end, a random part, its seal."""
    body = f"{int(time.time()) + seconds}.{secrets.token_urlsafe(16)}"
    return f"{body}.{tokens.ticket(f'{purpose}/{body}')}"


def _opened(tokens: TokenIssuer, purpose: str, value: str) -> int | None:
    """The Unix second in which a sealed value ends; None when it ended or was not made here."""
    body, _, seal = value.rpartition(".")
    if not body or not tokens.is_ticket(f"{purpose}/{body}", seal):
        return None
    expires = int(body.split(".")[0])
    return expires if expires >= time.time() else None


def _cookies(scope_or_headers: Mapping[str, Any], name: str) -> list[str]:
    """The values of every cookie called `name`."""
    headers = scope_or_headers.get("headers")
    if isinstance(headers, (list, tuple)):
        lines = [value.decode("latin-1") for header, value in headers if header == b"cookie"]
    else:
        lines = [scope_or_headers.get("cookie") or ""]
    pairs = (part.strip().partition("=") for line in lines for part in line.split(";"))
    return [value for key, _, value in pairs if key == name]
