"""The data of jobs: datasets downloaded, mounted or handed over; outputs uploaded, registered."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from azureml.core import Dataset
from azureml.core.runconfig import MpiConfiguration
from azureml.data import OutputFileDatasetConfig
from azureml.data._dataset import _Dataset
from execution_helpers import (
    GATE,
    error_of,
    json_of,
    own_environment,
    text_of,
    wait_for,
    wait_until,
)

from local_workspace.job_side import datasets

CAN_MOUNT = os.access("/dev/fuse", os.R_OK | os.W_OK)
SHOW = """\
import json, os, sys
from azureml.core import Run
run = Run.get_context()
path = sys.argv[1]
def below(folder):
    return sorted(
        os.path.relpath(os.path.join(base, name), folder)
        for base, _, names in os.walk(folder) for name in names
    )
json.dump(
    {
        "path": path,
        "of_the_run": run.input_datasets["raw"],
        "variable": os.environ["raw"],
        "files": below(path),
        "content": open(path).read() if os.path.isfile(path) else None,
        "is_mount": os.path.ismount(path if os.path.isdir(path) else os.path.dirname(path)),
    },
    open("outputs/seen.json", "w"),
)
print("read")
"""


@pytest.fixture(scope="module")
def store(local_workspace, tmp_path_factory):
    """The default datastore with the folder `job-data` of three files."""
    folder = tmp_path_factory.mktemp("files")
    for name, text in {"a.csv": "x,y\n1,2\n", "deep/b.csv": "x,y\n3,4\n", "c.txt": "c"}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    store = local_workspace.workspace.get_default_datastore()
    Dataset.File.upload_directory(str(folder), (store, "job-data"), show_progress=False)
    return store


def run_with(lab, given, script=SHOW, **options):
    run = lab.submit(script, given, **options)
    wait_for(run)
    return run


def test_a_downloaded_folder(lab, store, tmp_path):
    files = Dataset.File.from_files((store, "job-data/**"))
    run = run_with(lab, files.as_named_input("raw").as_download())
    seen = json_of(run, "outputs/seen.json", tmp_path)
    assert seen["files"] == ["a.csv", "c.txt", "deep/b.csv"]
    assert seen["path"] == seen["of_the_run"] == seen["variable"]
    assert not seen["is_mount"]
    # Whatever the data engine remarks, the log is the script's.
    assert text_of(run, "user_logs/std_log.txt", tmp_path) == "read\n"
    (lineage,) = run.get_details()["inputDatasets"]
    assert lineage["dataset"].to_path() == files.to_path()
    assert lineage["consumptionDetails"]["inputName"] == "raw"


@pytest.mark.skipif(not CAN_MOUNT, reason="this machine has no /dev/fuse that this user may open")
def test_a_mounted_folder_is_gone_after_the_job(lab, store, tmp_path):
    files = Dataset.File.from_files((store, "job-data/**"))
    run = run_with(lab, files.as_named_input("raw").as_mount())
    seen = json_of(run, "outputs/seen.json", tmp_path)
    assert seen["is_mount"] and seen["files"] == ["a.csv", "c.txt", "deep/b.csv"]
    assert not is_mounted(seen["path"])


@pytest.mark.parametrize("mode", ["as_download", "as_mount"])
def test_the_path_of_a_single_file_is_that_of_the_file(lab, store, tmp_path, mode):
    file = Dataset.File.from_files((store, "job-data/a.csv"))
    run = run_with(lab, getattr(file.as_named_input("raw"), mode)())
    seen = json_of(run, "outputs/seen.json", tmp_path)
    assert seen["path"].endswith("/a.csv") and seen["content"] == "x,y\n1,2\n"
    assert seen["path"] == seen["of_the_run"] == seen["variable"]


def test_a_path_on_compute_is_kept_and_only_files_of_jobs_are_replaced_there(lab, store, tmp_path):
    files = Dataset.File.from_files((store, "job-data/*.csv"))
    target = tmp_path / "data of the job"
    given = files.as_named_input("raw").as_download(path_on_compute=str(target))
    run = run_with(lab, given)
    assert json_of(run, "outputs/seen.json", tmp_path)["path"] == str(target)
    (target / "a.csv").write_text("of an earlier job")
    assert run_with(lab, given, "print('once more')").get_status() == "Completed"
    assert (target / "a.csv").read_text() == "x,y\n1,2\n"

    own = tmp_path / "of the user"
    own.mkdir()
    (own / "a.csv").write_text("dear to me")
    given = files.as_named_input("raw").as_download(path_on_compute=str(own))
    run = run_with(lab, given, "print('never')")
    assert run.get_status() == "Failed"
    assert "do not come from a job, and they are not overwritten" in error_of(run)["message"]
    assert (own / "a.csv").read_text() == "dear to me"


def test_a_relative_path_on_compute_is_in_the_working_folder(lab, store, tmp_path):
    files = Dataset.File.from_files((store, "job-data/*.csv"))
    script = """
        import os, sys
        print(os.path.relpath(sys.argv[1]), sorted(os.listdir("given/data")))
    """
    run = run_with(
        lab, files.as_named_input("raw").as_download(path_on_compute="given/data"), script
    )
    assert text_of(run, "user_logs/std_log.txt", tmp_path) == "given/data ['a.csv']\n"


def test_an_upload_replaces_nothing_unless_it_says_so(lab, store, tmp_path):
    output = OutputFileDatasetConfig("once", (store, "once"))
    script = "import sys; open(sys.argv[1] + '/a.txt', 'w').write(sys.argv[2])"

    def run_and_read(output, text):
        configuration = lab.configuration(script, output, text)
        run = lab.experiment().submit(configuration)
        wait_for(run)
        folder = tmp_path / text
        Dataset.File.from_files((store, "once/a.txt")).download(str(folder))
        return run, (folder / "a.txt").read_text()

    assert run_and_read(output.as_upload(), "first")[1] == "first"
    refused, present = run_and_read(output.as_upload(), "second")
    assert refused.get_status() == "Failed"
    assert "once/a.txt exists in the datastore" in error_of(refused)["message"]
    assert present == "first"
    assert run_and_read(output.as_upload(overwrite=True), "third")[1] == "third"
    assert run_and_read(output.as_mount(), "fourth")[1] == "fourth"


def test_a_tabular_dataset_is_handed_over_itself(lab, store, tmp_path):
    table = Dataset.Tabular.from_delimited_files((store, "job-data/a.csv"))
    script = """
        import sys
        from azureml.core import Dataset, Run
        run = Run.get_context()
        frame = run.input_datasets["raw"].to_pandas_dataframe()
        same = Dataset.get_by_id(run.experiment.workspace, sys.argv[1]).to_pandas_dataframe()
        assert frame.equals(same)
        frame.to_json("outputs/frame.json", orient="records")
    """
    run = run_with(lab, table.as_named_input("raw"), script)
    assert run.get_status() == "Completed"
    assert json_of(run, "outputs/frame.json", tmp_path) == [{"x": 1, "y": 2}]


def test_processes_that_share_a_path_download_it_once(lab, store, tmp_path):
    files = Dataset.File.from_files((store, "job-data/**"))
    given = files.as_named_input("raw").as_mount(path_on_compute=str(tmp_path / "shared"))
    script = """
        import os, sys
        rank = os.environ["OMPI_COMM_WORLD_RANK"]
        path = sys.argv[1]
        inode = os.stat(path + "/a.csv").st_ino
        open(f"outputs/{rank}.txt", "w").write(f"{inode} {len(os.listdir(path))}")
    """
    run = run_with(
        lab, given, script, distributed_job_config=MpiConfiguration(process_count_per_node=2)
    )
    assert run.get_status() == "Completed"
    first, second = (text_of(run, f"outputs/{rank}.txt", tmp_path) for rank in range(2))
    assert first == second and first.split()[1] == "3"
    logs = [name for name in run.get_file_names() if name.startswith("user_logs/")]
    texts = [text_of(run, name, tmp_path) for name in logs]
    assert all("downloaded instead of mounted" in text for text in texts)


def test_data_that_has_vanished_fails_the_run_with_the_reason(lab, local_workspace, tmp_path):
    store = local_workspace.workspace.get_default_datastore()
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "file").write_text("x")
    Dataset.File.upload_directory(str(tmp_path / "gone"), (store, "gone"), show_progress=False)
    files = Dataset.File.from_files((store, "gone/file"))
    store.blob_service.get_blob_client(store.container_name, "gone/file").delete_blob()
    run = run_with(lab, files.as_named_input("raw").as_download())
    assert run.get_status() == "Failed"
    assert "The input 'raw' cannot be read" in error_of(run)["message"]
    assert "outputs/seen.json" not in run.get_file_names()


def test_an_output_is_uploaded_and_registered(lab, store, tmp_path):
    output = OutputFileDatasetConfig("result", (store, "results/{run-id}/{output-name}"))
    output = output.as_upload(overwrite=True).register_on_complete(
        "job-result", description="made by a job", tags={"kind": "test"}
    )
    script = """
        import os, sys
        from azureml.core import Run
        path = sys.argv[1]
        assert path == Run.get_context().output_datasets["result"] == os.environ["result"]
        os.makedirs(path + "/deep")
        open(path + "/a.txt", "w").write("one")
        open(path + "/deep/b.txt", "w").write("two")
    """
    run = run_with(lab, output, script)
    assert run.get_status() == "Completed", run.get_details().get("error")
    made = Dataset.get_by_name(lab.ws, "job-result")
    assert (made.description, made.tags) == ("made by a job", {"kind": "test"})
    paths = sorted(made.download(str(tmp_path / "down")))
    assert [Path(path).read_text() for path in paths] == ["one", "two"]
    at_its_place = Dataset.File.from_files((store, f"results/{run.id}/result/**"))
    assert sorted(at_its_place.to_path()) == ["/a.txt", "/deep/b.txt"]
    (lineage,) = run.get_details()["outputDatasets"]
    assert lineage["dataset"].id == made.id
    assert lineage["outputDetails"]["outputName"] == "result"
    again = run_with(lab, output, script)
    assert again.get_status() == "Completed"
    assert Dataset.get_by_name(lab.ws, "job-result").version == made.version + 1


def test_an_output_read_as_a_table(lab, store):
    output = OutputFileDatasetConfig("table", (store, "tables/{run-id}"))
    output = output.register_on_complete("job-table").read_delimited_files()
    script = """
        import os, sys
        open(os.path.join(os.environ["table"], "part.csv"), "w").write("x,y\\n1,a\\n2,b\\n")
    """
    run = run_with(lab, output, script)
    assert run.get_status() == "Completed", run.get_details().get("error")
    frame = Dataset.get_by_name(lab.ws, "job-table").to_pandas_dataframe()
    assert frame.to_dict("list") == {"x": ["1", "2"], "y": ["a", "b"]}


def test_only_the_files_that_were_asked_for(lab, store):
    output = OutputFileDatasetConfig("some", (store, "some/{run-id}"))
    script = """
        import sys
        for name in ("a.csv", "b.csv", "c.log"):
            open(f"{sys.argv[1]}/{name}", "w").write(name)
    """
    run = run_with(lab, output.as_upload(source_globs="*.csv"), script)
    assert run.get_status() == "Completed", run.get_details().get("error")
    found = Dataset.File.from_files((store, f"some/{run.id}/**")).to_path()
    assert sorted(found) == ["/a.csv", "/b.csv"]


def test_a_script_that_fails_keeps_what_it_wrote_to_a_mount_only(lab, store):
    script = """
        import os, sys
        for path in sys.argv[1:]:
            open(f"{path}/part.txt", "w").write("so far")
        raise ValueError("half way")
    """
    mounted = OutputFileDatasetConfig("mounted", (store, "half/{run-id}/m")).as_mount()
    uploaded = OutputFileDatasetConfig("uploaded", (store, "half/{run-id}/u")).as_upload()
    configuration = lab.configuration(script, mounted.register_on_complete("half"), uploaded)
    run = lab.experiment().submit(configuration)
    wait_for(run)
    assert run.get_status() == "Failed"
    assert "half way" in error_of(run)["message"]
    found = Dataset.File.from_files((store, f"half/{run.id}/**")).to_path()
    assert found == ["/m/part.txt"]
    assert "half" not in lab.ws.datasets


def is_mounted(path):
    return any(line.split(" ")[1] == path for line in Path("/proc/mounts").read_text().splitlines())


@pytest.mark.skipif(not CAN_MOUNT, reason="this machine has no /dev/fuse that this user may open")
def test_a_canceled_run_leaves_no_mount_behind(lab, store, local_workspace):
    files = Dataset.File.from_files((store, "job-data/**"))
    script = GATE + "open('here', 'w').write(sys.argv[1]); wait_for('never')"
    run = lab.submit(script, files.as_named_input("raw").as_mount())
    wait_for(run, "Running")
    notes = local_workspace.paths.runs / run.id
    note = wait_until(lambda: list(notes.rglob("here")))[0]
    path = wait_until(note.read_text)
    assert is_mounted(path)
    run.cancel()
    wait_for(run)
    wait_until(lambda: not is_mounted(path))


@pytest.mark.skipif(not CAN_MOUNT, reason="this machine has no /dev/fuse that this user may open")
def test_a_script_that_is_killed_leaves_no_mount_behind(lab, store, tmp_path):
    """Nor does a folder stay that nobody serves any more."""
    files = Dataset.File.from_files((store, "job-data/**"))
    script = """
        import os, sys
        assert os.path.ismount(sys.argv[1])
        open(os.environ["NOTE"], "w").write(sys.argv[1])
        os.kill(os.getpid(), 9)
    """
    environment = own_environment(NOTE=str(tmp_path / "note"))
    run = run_with(lab, files.as_named_input("raw").as_mount(), script, environment=environment)
    assert "SIGKILL" in error_of(run)["message"]
    assert not is_mounted((tmp_path / "note").read_text())


def test_a_mount_of_somebody_else_stays(monkeypatch, tmp_path):
    monkeypatch.setattr(datasets, "_is_in_mount_table", lambda path: True)
    monkeypatch.setattr(datasets.subprocess, "call", lambda command: pytest.fail(f"{command}"))
    datasets.unmounting([str(tmp_path)])()


def test_a_machine_without_fuse_downloads_and_says_so(monkeypatch, tmp_path, capsys):
    class Files:
        def download(self, target_path, overwrite):
            Path(target_path, "file").write_text("x")

    monkeypatch.setattr(datasets, "_FUSE", str(tmp_path / "no-fuse"))
    monkeypatch.setattr(datasets, "_workspace", lambda: None)
    monkeypatch.setattr(_Dataset, "_get_by_id", lambda *_: Files())
    document = {
        "name": "raw",
        "dataset": "id",
        "mechanism": "mount",
        "path": str(tmp_path),
        "given": False,
        "shared": False,
    }
    with datasets.inputs_in_place([document]):
        assert (tmp_path / "file").read_text() == "x"
    assert "The input 'raw' is downloaded instead of mounted: this machine has no" in (
        capsys.readouterr().out
    )


def test_an_environment_without_the_sdk_is_told_what_to_add(tmp_path):
    script = f"""
import sys
sys.path.insert(0, {str(Path(datasets.__file__).parent)!r})
import datasets
document = {{"name": "raw", "dataset": "1", "mechanism": "download", "path": "x", "shared": False}}
try:
    with datasets.inputs_in_place([document]):
        pass
except datasets.DataError as error:
    print(error)
"""
    # Isolated and without site-packages, as in an environment with nothing.
    bare = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert bare.stdout == (
        "The input 'raw' cannot be read: the job's environment has no 'azureml'. Add the package "
        "azureml-defaults to it, or azureml-core and azureml-dataset-runtime.\n"
    )
