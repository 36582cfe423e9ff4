"""Tokens: signed, dated, and good for this workspace only."""

from __future__ import annotations

import hashlib
import hmac
import time
import uuid
from dataclasses import dataclass

import jwt

from local_workspace.errors import Unauthorized
from local_workspace.settings import Settings

ALGORITHM = "HS256"
USER_TOKEN_SECONDS = 24 * 3600
# How far the clock may have been put back, by a time server or a suspended machine, since a token
# was made.
LEEWAY_SECONDS = 60


@dataclass(frozen=True)
class Principal:
    """Who a token speaks for.

    `run_id` is set for the token of a job: it reaches the workspace it was made for, as that run.
    """

    object_id: str
    name: str
    role: str
    run_id: str | None = None


class TokenIssuer:
    """Makes and checks the tokens of one workspace."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._key = bytes.fromhex(settings.signing_key)

    @property
    def _issuer(self) -> str:
        return f"https://local-workspace/{self._settings.workspace_id}/"

    def issue(
        self,
        resource: str,
        *,
        lifetime: int = USER_TOKEN_SECONDS,
        role: str = "Owner",
        run_id: str | None = None,
    ) -> tuple[str, int]:
        """A token for `resource` (its audience) and the Unix second in which it ends."""
        now = int(time.time())
        expires = now + lifetime
        claims = {
            "iss": self._issuer,
            "aud": resource,
            "iat": now,
            "nbf": now,
            "exp": expires,
            "tid": self._settings.tenant_id,
            "oid": self._settings.principal_id,
            "sub": self._settings.principal_id,
            "appid": self._settings.client_id,
            "name": "Local user",
            "role": role,
            "uti": uuid.uuid4().hex,
        }
        if run_id is not None:
            claims["run"] = run_id
        return jwt.encode(claims, self._key, algorithm=ALGORITHM), expires

    def verify(self, token: str) -> Principal:
        """The principal of `token`.

        Raises Unauthorized, saying what to do, when it is malformed, expired, or was made by
        another workspace.
        """
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[ALGORITHM],
                issuer=self._issuer,
                leeway=LEEWAY_SECONDS,
                options={"verify_aud": False, "require": ["exp", "iss", "oid"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise Unauthorized(
                "The access token has expired. Ask for a new one: a new Workspace object does so.",
                code="ExpiredAuthenticationToken",
            ) from error
        except jwt.InvalidTokenError as error:
            raise Unauthorized(
                "The access token is not one of this workspace. Check that .env belongs to it: "
                "`python -m local_workspace env` prints the right lines."
            ) from error
        return Principal(claims["oid"], claims["name"], claims["role"], claims.get("run"))

    def ticket(self, purpose: str) -> str:
        """A word that only this workspace can make for `purpose`, for URLs that carry no header."""
        return hmac.new(self._key, purpose.encode(), hashlib.sha256).hexdigest()[:32]

    def is_ticket(self, purpose: str, ticket: str) -> bool:
        """Whether `ticket` is the one of `purpose`."""
        return hmac.compare_digest(self.ticket(purpose).encode(), ticket.encode())
