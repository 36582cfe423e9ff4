"""A blob service of its own for the tests of blobs: TLS, loopback, two accounts."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import trustme
import uvicorn
from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential
from azure.storage.blob import BlobServiceClient

from local_workspace.services.blob import BlobService
from local_workspace.store.blobs import BlobStore

MIB = 1024 * 1024
ACCOUNTS = {
    "first": base64.b64encode(b"key of the first account" * 2).decode(),
    "second": base64.b64encode(b"key of the second account" * 2).decode(),
}


@dataclass(frozen=True)
class BlobServer:
    """A running blob service and what is needed to reach it."""

    port: int
    ca_file: Path
    store: BlobStore

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"https://localhost:{self.port}"

    def account_url(self, account: str) -> str:
        """The URL of an account, with its name in the userinfo part."""
        return f"https://{account}.blob.core.x@localhost:{self.port}"

    def client(self, account: str = "first", sas: str = "", key: str = "", **options):
        """The public client for an account, with its key unless a SAS or another key is given."""
        if sas:
            credential = AzureSasCredential(sas)
        else:
            # As a plain string the key would need a URL with `.blob.core.`.
            credential = AzureNamedKeyCredential(account, key or ACCOUNTS[account])
        return BlobServiceClient(
            self.account_url(account),
            credential=credential,
            connection_verify=str(self.ca_file),
            retry_total=0,
            **options,
        )


def code_of(caught):
    """Azure's code of an error that a client raised, of `pytest.raises`."""
    code = caught.value.error_code
    return getattr(code, "value", code)


@contextlib.contextmanager
def running_server(folder: Path) -> Iterator[BlobServer]:
    """A blob service with its files in `folder`, stopped at the end."""
    authority = trustme.CA()
    ca_file, certificate = folder / "ca.pem", folder / "server.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        str(certificate)
    )
    store = BlobStore(folder / "blobs")
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            BlobService(store, lambda: ACCOUNTS),
            ssl_certfile=str(certificate),
            ssl_keyfile=str(certificate),
            log_level="warning",
            access_log=False,
            # Clients keep their connections open: do not wait for them to say goodbye.
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    # Connections made from now on wait in the listener until the server accepts them.
    try:
        yield BlobServer(listener.getsockname()[1], ca_file, store)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
