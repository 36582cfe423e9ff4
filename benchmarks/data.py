"""Data through the SDK: up, down, and into a data frame."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from benchmarks.harness import Row, in_turns, row, seconds
from benchmarks.workspaces import free_port, fresh_workspace, scratch, service
from local_workspace.identity.certificates import Certificates
from local_workspace.pytest_plugin import LocalWorkspaceServer

_MIB = 2**20
_SIZE = 200 * _MIB


def transfer() -> list[Row]:
    """200 MiB up and down through the SDK, beside a copy of the file on the same disk."""
    with fresh_workspace() as server, scratch() as folder:
        from azureml.core import Dataset

        store = server.workspace.get_default_datastore()
        source = folder / "source" / "data.bin"
        source.parent.mkdir()
        source.write_bytes(os.urandom(_SIZE))
        target = folder / "down"

        def upload_directory() -> None:
            Dataset.File.upload_directory(
                str(source.parent), (store, "up"), overwrite=True, show_progress=False
            )

        def upload_files() -> None:
            store.upload_files([str(source)], None, "older", overwrite=True, show_progress=False)

        def download() -> None:
            shutil.rmtree(target, ignore_errors=True)
            Dataset.File.from_files((store, "up/data.bin")).download(str(target))

        def speed(action) -> Callable[[], float]:
            return lambda: _SIZE / 1e6 / seconds(action)

        upload_directory()
        up, copied = in_turns(
            speed(upload_directory), speed(lambda: _copied(source, folder / "c", durable=True)), 3
        )
        older, copied_2 = in_turns(
            speed(upload_files), speed(lambda: _copied(source, folder / "c", durable=True)), 3
        )
        down, copied_3 = in_turns(
            speed(download), speed(lambda: _copied(source, folder / "c", durable=False)), 3
        )
        [found] = target.rglob("data.bin")
        if found.read_bytes() != source.read_bytes():
            raise RuntimeError("what came back is not what was sent")
        rows = [
            row(f"{what} of 200 MiB", "MB/s", "", None, mine, peer=peer, theirs=theirs)
            for what, mine, peer, theirs in (
                ("Dataset.File.upload_directory", up, "copy with fsync", copied),
                ("Datastore.upload_files", older, "copy with fsync", copied_2),
                ("FileDataset.download", down, "copy without fsync", copied_3),
            )
        ]
        return rows + _beside_azurite(server, source, folder)


def _beside_azurite(server: LocalWorkspaceServer, source: Path, folder: Path) -> list[Row]:
    """The same file through azure-storage-blob, here and to Azurite, when that is on PATH.

    Not through the SDK: its data engine's larger uploads to Azurite with an account key are lost.
    """
    from azure.storage.blob import BlobServiceClient

    def client(address: str) -> BlobServiceClient:
        key = {"account_name": server.settings.storage_account}
        key["account_key"] = server.settings.storage_key
        service = BlobServiceClient(address, credential=key)
        service.create_container("benchmark")
        return service

    def up(service: BlobServiceClient) -> Callable[[], float]:
        blob = service.get_blob_client("benchmark", "data.bin")

        def action() -> None:
            with open(source, "rb") as file:
                blob.upload_blob(file, overwrite=True, max_concurrency=4)

        return lambda: _SIZE / 1e6 / seconds(action)

    def down(service: BlobServiceClient) -> Callable[[], float]:
        blob = service.get_blob_client("benchmark", "data.bin")

        def action() -> None:
            with open(folder / "client", "wb") as file:
                blob.download_blob(max_concurrency=4).readinto(file)

        return lambda: _SIZE / 1e6 / seconds(action)

    ours = client(_blob_address(server))
    program = shutil.which("azurite-blob")
    with _azurite(program, server, folder) if program else nullcontext() as address:
        other = client(address) if address else None
        measured = [in_turns(act(ours), act(other) if other else None, 3) for act in (up, down)]
    peer = "Azurite" if program else "Azurite: not on this machine"
    return [
        row(f"azure-storage-blob, {way} of 200 MiB", "MB/s", "", None, mine, peer=peer, theirs=his)
        for way, (mine, his) in zip(("upload", "download"), measured, strict=True)
    ]


def _blob_address(server: LocalWorkspaceServer) -> str:
    account, port = server.settings.storage_account, server.settings.port
    return f"https://{account}.blob.core.x@localhost:{port}"


@contextmanager
def _azurite(program: str, server: LocalWorkspaceServer, folder: Path) -> Iterator[str]:
    """Azurite's blob service with our account and our certificate, for TLS on both sides."""
    port = free_port()
    pem = str(Certificates(server.paths.certificates).server)
    command = [program, "--silent", "--skipApiVersionCheck", "--blobHost", "127.0.0.1"]
    command += ["--blobPort", str(port), "--location", str(folder / "azurite")]
    command += ["--cert", pem, "--key", pem]
    account, key = server.settings.storage_account, server.settings.storage_key
    environment = {**os.environ, "AZURITE_ACCOUNTS": f"{account}:{key}"}
    with service(command, environment, f"https://localhost:{port}/"):
        yield f"https://localhost:{port}/{account}"


def _copied(source: Path, target: Path, *, durable: bool) -> None:
    with open(source, "rb") as reading, open(target, "wb") as writing:
        shutil.copyfileobj(reading, writing, _MIB)
        writing.flush()
        if durable:
            os.fsync(writing.fileno())


def data_frame() -> list[Row]:
    """`to_pandas_dataframe` of a 100 MB CSV, beside the SDK's engine on a local path."""
    with fresh_workspace() as server, scratch() as folder:
        import azureml.dataprep as dataprep
        from azureml.core import Dataset

        store = server.workspace.get_default_datastore()
        source = folder / "source"
        source.mkdir()
        with open(source / "data.csv", "w", encoding="utf-8") as file:
            file.write("id,a,b,c,d,name\n")
            number = 0
            while file.tell() < 100e6:
                for _ in range(10_000):
                    number += 1
                    file.write(
                        f"{number},{number * 0.5},{number % 97},{number * 1.25},{number % 7},"
                        f"patient-{number}\n"
                    )
        Dataset.File.upload_directory(str(source), (store, "frame"), show_progress=False)
        table = Dataset.Tabular.from_delimited_files((store, "frame/data.csv"))
        # The steps of from_delimited_files: without types every value would be read as text, which
        # takes longer.
        flow = dataprep.read_csv(str(source / "data.csv"), verify_exists=False)
        types = flow.builders.set_column_types()
        types.learn()
        flow = types.to_dataflow()
        if not table.to_pandas_dataframe().equals(flow.to_pandas_dataframe()):
            raise RuntimeError("the two ways of reading do not give the same table")
        mine, theirs = in_turns(
            lambda: seconds(table.to_pandas_dataframe),
            lambda: seconds(flow.to_pandas_dataframe),
            3,
        )
    return [
        row(
            "to_pandas_dataframe of a 100 MB CSV",
            "s",
            "at most 1.3 of the peer",
            lambda one: one.ratio is not None and one.ratio <= 1.3,
            mine,
            peer="the same engine on a local path",
            theirs=theirs,
        )
    ]
