"""Secrets as the database holds them: nobody reads them without `workspace.json`."""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from local_workspace.errors import Conflict
from local_workspace.settings import Settings


class Cipher:
    """Encrypts and decrypts with the key of one workspace's vault.

    The key is derived from the signing key of `workspace.json`, so that a workspace which is older
    than its vault needs no new one. Neither key can be worked out from what the other one made.
    """

    def __init__(self, settings: Settings) -> None:
        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"key vault").derive(
            bytes.fromhex(settings.signing_key)
        )
        self._fernet = Fernet(base64.urlsafe_b64encode(derived))

    def encrypt(self, value: str) -> str:
        """`value` encrypted, with what shows that it was not changed since."""
        return self._fernet.encrypt(value.encode()).decode("ascii")

    def decrypt(self, encrypted: str, name: str) -> str:
        """The value of the secret `name`. Raises Conflict when another key encrypted it."""
        try:
            return self._fernet.decrypt(encrypted.encode("ascii")).decode()
        except InvalidToken:
            raise Conflict(
                f"The secret '{name}' cannot be decrypted: the key in workspace.json is not the "
                "one that it was encrypted with. Bring that file back, or set the secret again.",
                inner_code="SecretNotReadable",
            ) from None
