"""Data through the SDK: up, down, and into a data frame."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from benchmarks.harness import Row, in_turns, row, seconds
from benchmarks.workspaces import fresh_workspace, scratch

_MIB = 2**20
_SIZE = 200 * _MIB


def transfer() -> list[Row]:
    """Upload and download of 200 MiB, beside a copy of the file on the same disk."""
    with fresh_workspace() as server, scratch() as folder:
        from azureml.core import Dataset

        store = server.workspace.get_default_datastore()
        source = folder / "source"
        source.mkdir()
        (source / "data.bin").write_bytes(os.urandom(_SIZE))
        megabytes = _SIZE / 1e6

        def copy() -> float:
            target = folder / "copy.bin"
            return megabytes / seconds(lambda: _copied(source / "data.bin", target))

        def upload() -> float:
            return megabytes / seconds(
                lambda: Dataset.File.upload_directory(
                    str(source), (store, "up"), overwrite=True, show_progress=False
                )
            )

        def download() -> float:
            target = folder / "down"
            shutil.rmtree(target, ignore_errors=True)
            took = seconds(
                lambda: Dataset.File.from_files((store, "up/data.bin")).download(str(target))
            )
            [found] = list(target.rglob("data.bin"))
            if found.stat().st_size != _SIZE:
                raise RuntimeError("the download is not complete")
            return megabytes / took

        upload()
        up, copied = in_turns(upload, copy, 3)
        down, copied_again = in_turns(download, copy, 3)
    azurite = shutil.which("azurite-blob")
    note = "" if azurite else "Azurite is not on this machine, so that it is not compared"
    peer = "copy with fsync"
    return [
        row("upload of 200 MiB", "MB/s", "", None, up, peer=peer, theirs=copied, note=note),
        row("download of 200 MiB", "MB/s", "", None, down, peer=peer, theirs=copied_again),
    ]


def _copied(source: Path, target: Path) -> None:
    with open(source, "rb") as reading, open(target, "wb") as writing:
        shutil.copyfileobj(reading, writing, _MIB)
        writing.flush()
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
        rows_read: list[int] = []

        def remote() -> float:
            table = Dataset.Tabular.from_delimited_files((store, "frame/data.csv"))
            return seconds(lambda: rows_read.append(len(table.to_pandas_dataframe())))

        def local() -> float:
            flow = dataprep.read_csv(str(source / "data.csv"), verify_exists=False)
            return seconds(lambda: rows_read.append(len(flow.to_pandas_dataframe())))

        remote()
        mine, theirs = in_turns(remote, local, 3)
        if len(set(rows_read)) != 1:
            raise RuntimeError(f"not all reads gave the same rows: {set(rows_read)}")
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
