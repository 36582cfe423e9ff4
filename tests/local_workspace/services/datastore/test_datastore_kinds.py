"""Datastores that are no blob containers, and the calls of older code."""

import pytest
from azureml.core import Dataset, Datastore


def test_other_kinds_of_storage_say_that_they_are_not_here(ws, account, key):
    with pytest.raises(Exception, match="no Azure file shares"):
        Datastore.register_azure_file_share(ws, "share", "share", account, account_key=key)
    with pytest.raises(Exception, match="no datastores of the type 'AzureDataLakeGen2'"):
        Datastore.register_azure_data_lake_gen2(ws, "lake", "f", "acc", "t", "c", "s")
    with pytest.raises(Exception, match="no datastores of the type 'AzureSqlDatabase'"):
        Datastore.register_azure_sql_database(ws, "sql", "srv", "db", "t", "c", "s")


def test_a_file_share_fails_at_once_and_says_why(ws, tmp_path):
    share = Datastore.get(ws, "workspacefilestore")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file.txt").write_text("x")
    says = r"not implemented by the local workspace.*\(Azure file shares; use a blob datastore"
    with pytest.raises(Exception, match=says):
        share.upload(str(folder), "target", show_progress=False)
    with pytest.raises(Exception, match=says):
        share.download(str(tmp_path / "back"), show_progress=False)
    with pytest.raises(Exception, match=says):
        Dataset.File.from_files((share, "a/*"), validate=False).to_path()


def test_the_native_engine_reports_that_a_file_share_took_nothing(ws, tmp_path, capfd):
    (tmp_path / "file.txt").write_text("x")
    share = Datastore.get(ws, "workspacefilestore")
    Dataset.File.upload_directory(str(tmp_path), (share, "target"))
    printed = capfd.readouterr().out
    assert "Azure file shares; use a blob datastore" in printed
    assert "Files copied=0, skipped=0, failed=1" in printed


def test_the_deprecated_calls_of_a_datastore(ws, tmp_path):
    datastore = Datastore.get(ws, "workspaceblobstore")
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "one.txt").write_text("1")
    (source / "sub" / "two.txt").write_text("2")
    datastore.upload_files(
        [str(source / "one.txt"), str(source / "sub" / "two.txt")],
        relative_root=str(source),
        target_path="old",
        show_progress=False,
    )
    assert datastore.download(str(tmp_path / "back"), "old", show_progress=False) == 2
    assert (tmp_path / "back" / "old" / "sub" / "two.txt").read_text() == "2"
    # What is there stays without overwrite, and is replaced with it.
    (source / "one.txt").write_text("changed")
    for overwrite, expected in ((False, "1"), (True, "changed")):
        datastore.upload(str(source), "old", overwrite=overwrite, show_progress=False)
        datastore.download(str(tmp_path / "back"), "old", overwrite=True, show_progress=False)
        assert (tmp_path / "back" / "old" / "one.txt").read_text() == expected
