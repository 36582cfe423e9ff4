"""TLS on loopback: a certificate authority of this installation's own, made with trustme."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import certifi
import trustme
from cryptography import x509

from local_workspace.variables import TRUSTED_AUTHORITIES
from local_workspace.whole_files import write_whole

_NAMES = ("localhost", "127.0.0.1", "::1")


class Certificates:
    """The files of TLS below `folder`; made when missing, made anew before they run out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = folder / "authority.pem"
        self.server = folder / "server.pem"
        self.bundle = folder / "bundle.pem"

    def ensure(self) -> None:
        """Make certificate and key unless usable ones are here; always refresh the bundle."""
        if not self._usable():
            self.folder.mkdir(parents=True, exist_ok=True)
            # RSA, because every TLS stack in the SDK's dependencies takes it.
            authority = trustme.CA(
                organization_name="Local workspace", key_type=trustme.KeyType.ECDSA
            )
            server = authority.issue_cert(*_NAMES, key_type=trustme.KeyType.ECDSA)
            write_whole(self.server, server.private_key_and_cert_chain_pem.bytes(), mode=0o600)
            write_whole(self.authority, authority.cert_pem.bytes(), mode=0o600)
        self._write_bundle()

    def _usable(self) -> bool:
        try:
            certificate = x509.load_pem_x509_certificate(_last_part(self.server))
        except (OSError, ValueError):
            return False
        soon = datetime.now(timezone.utc) + timedelta(days=7)
        return self.authority.exists() and certificate.not_valid_after_utc > soon

    def _write_bundle(self) -> None:
        """Our authority first, then those the user's programs trust already.

        One variable (`REQUESTS_CA_BUNDLE`) replaces all other roots, so a program that also
        reaches the internet needs both. The SDK reads the file anew for every connection: 20 to
        50 ms for the usual roots, 0.7 ms for `authority.pem` alone, hence two files.
        """
        parts = [self.authority.read_bytes(), Path(certifi.where()).read_bytes()]
        for variable in TRUSTED_AUTHORITIES:
            path = Path(os.environ.get(variable, ""))
            if path.is_file() and path.parent.resolve() != self.folder.resolve():
                content = path.read_bytes()
                if content not in parts:
                    parts.append(content)
        write_whole(self.bundle, b"\n".join(parts), mode=0o600)


def _last_part(path: Path) -> bytes:
    return b"-----BEGIN CERTIFICATE" + path.read_bytes().split(b"-----BEGIN CERTIFICATE")[1]
