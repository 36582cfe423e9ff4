"""Files that are there whole or not at all."""

import os

import pytest

from local_workspace.whole_files import write_whole


def test_a_file_is_written_in_place_of_another(tmp_path):
    path = tmp_path / "file"
    write_whole(path, "old")
    write_whole(path, b"new \xff")
    assert path.read_bytes() == b"new \xff"
    assert os.listdir(tmp_path) == ["file"]


def test_a_private_file_is_never_open_to_others(tmp_path, monkeypatch):
    modes = []
    replace = os.replace

    def look(source, target):
        modes.append(os.stat(source).st_mode & 0o777)
        replace(source, target)

    monkeypatch.setattr(os, "replace", look)
    write_whole(tmp_path / "secret", "x", mode=0o600)
    assert modes == [0o600]


@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_what_cannot_be_written_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, fails):
    path = tmp_path / "file"
    write_whole(path, "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, fails, full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, "new", is_durable=True)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]
