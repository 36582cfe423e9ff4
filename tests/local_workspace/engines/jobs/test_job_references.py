"""Data references of a run configuration: paths in datastores that a job has as files."""

import os
from datetime import datetime
from pathlib import Path

import pytest
from azure.storage.blob import generate_container_sas
from azureml.core import Datastore, ScriptRunConfig
from azureml.core.runconfig import DataReferenceConfiguration, MpiConfiguration, RunConfiguration
from azureml.data.data_reference import DataReference
from azureml.data.datapath import DataPath
from azureml.exceptions import ExperimentExecutionException
from execution_helpers import GATE, error_of, json_of, own_environment, text_of, wait_for

SHOW = """\
import json, os, sys
path = sys.argv[1]
def below(folder):
    return sorted(
        os.path.relpath(os.path.join(base, name), folder)
        for base, _, names in os.walk(folder) for name in names
    )
json.dump(
    {
        "path": path,
        "variables": {
            name: value for name, value in os.environ.items()
            if name.startswith("AZUREML_DATAREFERENCE_")
        },
        "files": below(path),
        "folder": os.getcwd(),
        "content": open(path).read() if os.path.isfile(path) else None,
    },
    open("outputs/seen.json", "w"),
)
"""


@pytest.fixture
def lab(lab, tmp_path, monkeypatch):
    # The SDK copies the projects of local runs there.
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    return lab


@pytest.fixture(scope="module")
def store(local_workspace):
    """The default datastore."""
    return local_workspace.workspace.get_default_datastore()


@pytest.fixture
def files(local_workspace, opened, store, request):
    """Puts, gets and lists the files of a folder in the datastore that a test has for itself."""

    class Files:
        folder = f"references/{request.node.name}"
        place = (store.account_name, store.container_name)

        def __getitem__(self, name):
            with opened.blobs.open(*self.place, f"{self.folder}/{name}") as file:
                return file.read().decode()

        def __setitem__(self, name, text):
            opened.blobs.put_bytes(*self.place, f"{self.folder}/{name}", text.encode())

        def names(self):
            listing = opened.blobs.list(*self.place, f"{self.folder}/")
            return [blob.name.removeprefix(f"{self.folder}/") for blob in listing.blobs]

    found = Files()
    found["a.csv"] = "x,y\n1,2\n"
    found["deep/er/b 100%.csv"] = "x,y\n3,4\n"
    return found


def submit(lab, script, *references, arguments=None, target=None, **options):
    """Submit a script with data references the way Microsoft documents it."""
    if arguments is None:
        arguments = [str(one) for one in references]
    configuration = lab.configuration(script, *arguments, target=target, **options)
    configuration.run_config.data_references = {
        one.data_reference_name: one.to_config() for one in references
    }
    return lab.experiment().submit(configuration)


def done(run, status="Completed"):
    assert wait_for(run) == status, run.get_details()
    return run


@pytest.mark.parametrize("target", [None, "local"])
@pytest.mark.parametrize("mode", ["as_download", "as_mount"])
def test_a_script_gets_the_path_of_the_files(lab, store, files, tmp_path, mode, target):
    reference = getattr(store.path(files.folder), mode)()
    seen = json_of(done(submit(lab, SHOW, reference, target=target)), "outputs/seen.json", tmp_path)
    assert seen["files"] == ["a.csv", "deep/er/b 100%.csv"]
    name = reference.data_reference_name
    assert seen["variables"] == {f"AZUREML_DATAREFERENCE_{name}": seen["path"]}
    assert not os.path.exists(seen["path"])


def test_a_file_and_a_whole_datastore(lab, store, files, tmp_path):
    file = DataReference(store, "one", f"{files.folder}/a.csv")
    everything = DataReference(store, "all", "/", mode="download")
    script = (
        SHOW
        + f"""
print(sys.argv[2], os.path.exists(os.path.join(sys.argv[2], {files.folder!r}, "a.csv")))
"""
    )
    run = done(submit(lab, script, file, everything))
    seen = json_of(run, "outputs/seen.json", tmp_path)
    assert seen["path"].endswith("/a.csv") and seen["content"] == "x,y\n1,2\n"
    everything = seen["variables"]["AZUREML_DATAREFERENCE_all"]
    assert text_of(run, "user_logs/std_log.txt", tmp_path) == f"{everything} True\n"


def test_in_a_command_and_in_braces_and_a_longer_name(lab, store, files, tmp_path):
    reference = DataReference(store, "data", files.folder, mode="download")
    longer = DataReference(store, "data2", f"{files.folder}/deep", mode="download")
    command = [
        "echo",
        f"{reference}",
        "--same=${AZUREML_DATAREFERENCE_data}",
        str(longer),
        "$AZUREML_DATAREFERENCE_unknown.",
    ]
    run = done(submit(lab, None, reference, longer, arguments=(), command=command))
    one, same, other, unknown = text_of(run, "user_logs/std_log.txt", tmp_path).split()
    assert same == f"--same={one}" and one.endswith(files.folder)
    assert other.endswith(f"{files.folder}/deep") and unknown == "."


@pytest.mark.parametrize("target", [None, "local"])
def test_a_path_on_compute_is_where_the_path_of_the_datastore_begins(
    lab, store, files, tmp_path, target
):
    relative = store.path(f"{files.folder}/deep").as_download(path_on_compute="given/here")
    run = done(submit(lab, SHOW, relative, target=target))
    seen = json_of(run, "outputs/seen.json", tmp_path)
    assert seen["path"] == f"{seen['folder']}/given/here/{files.folder}/deep"
    assert seen["files"] == ["er/b 100%.csv"]

    absolute = tmp_path / "of this machine"
    reference = store.path(files.folder).as_download(path_on_compute=str(absolute))
    done(submit(lab, SHOW, reference, target=target))
    assert (absolute / files.folder / "a.csv").read_text() == "x,y\n1,2\n"


def test_a_download_replaces_files_when_it_says_so(lab, store, files, tmp_path):
    target = tmp_path / "kept"
    there = target / files.folder / "a.csv"
    there.parent.mkdir(parents=True)
    there.write_text("dear to me")

    def run_with(overwrite):
        reference = DataReference(
            store, "data", files.folder, "download", str(target), overwrite=overwrite
        )
        run = done(submit(lab, "print('read')", reference))
        return text_of(run, "user_logs/std_log.txt", tmp_path)

    log = run_with(False)
    assert there.read_text() == "dear to me"
    assert (there.parent / "deep/er/b 100%.csv").exists()
    assert "has overwrite=False: 1 files that were there already are kept" in log
    assert str(there) in log
    assert run_with(True) == "read\n"
    assert there.read_text() == "x,y\n1,2\n"
    # What is the same is no news.
    assert run_with(False) == "read\n"


@pytest.mark.parametrize("target", [None, "local"])
def test_an_upload_of_a_file_and_of_a_folder(lab, store, files, target):
    file = store.path(f"{files.folder}/model").as_upload(path_on_compute="./made/model.pkl")
    folder = store.path(f"{files.folder}/results").as_upload(path_on_compute="results")
    unnamed = store.path(f"{files.folder}/more").as_upload()
    script = """
        import os, sys
        file, folder, unnamed = sys.argv[1:]
        assert os.path.abspath("made/model.pkl") == file
        open("made/model.pkl", "w").write("weights")
        os.makedirs(folder + "/deep")
        open(folder + "/deep/r.txt", "w").write("r")
        open(unnamed + "/m.txt", "w").write("m")
    """
    done(submit(lab, script, file, folder, unnamed, target=target))
    assert files["model/model.pkl"] == "weights"
    assert files["results/deep/r.txt"] == "r"
    assert files["more/m.txt"] == "m"


def test_an_upload_replaces_files_when_it_says_so(lab, store, files, tmp_path):
    script = "import sys; open(sys.argv[1] + '/a.csv', 'w').write(sys.argv[2])"

    def run_with(text, overwrite):
        reference = DataReference(store, "data", files.folder, "upload", overwrite=overwrite)
        run = submit(lab, script, reference, arguments=[str(reference), text])
        done(run)
        return text_of(run, "user_logs/std_log.txt", tmp_path) if not overwrite else ""

    log = run_with("new", False)
    assert files["a.csv"] == "x,y\n1,2\n"
    assert "had already are kept there, such as " + files.folder + "/a.csv" in log
    run_with("new", True)
    assert files["a.csv"] == "new"


def test_a_failed_run_uploads_nothing_and_an_empty_one_says_so(lab, store, files, tmp_path):
    reference = store.path(files.folder).as_upload("made")
    script = "import sys; open(sys.argv[1] + '/new.txt', 'w').write('x'); sys.exit(1)"
    done(submit(lab, script, reference), "Failed")
    assert files.names() == ["a.csv", "deep/er/b 100%.csv"]
    run = done(submit(lab, "print(1)", reference))
    log = text_of(run, "user_logs/std_log.txt", tmp_path)
    assert f"'{reference.data_reference_name}' uploads nothing" in log


@pytest.mark.parametrize("target", [None, "local"])
def test_what_is_written_to_a_mount_is_in_the_datastore(lab, store, files, target):
    script = """
        import sys
        path = sys.argv[1]
        open(path + "/a.csv", "a").write("5,6\\n")
        open(path + "/new.txt", "w").write("new")
        raise SystemExit("and a mount has it when the script fails, too")
    """
    files["deep/er/b 100%.csv"] = "as it was"
    done(submit(lab, script, store.path(files.folder).as_mount(), target=target), "Failed")
    assert files["a.csv"] == "x,y\n1,2\n5,6\n" and files["new.txt"] == "new"
    assert files.names() == ["a.csv", "deep/er/b 100%.csv", "new.txt"]


def test_only_what_has_changed_is_written_back(lab, store, files, tmp_path):
    script = GATE + "print('ready', flush=True); wait_for(sys.argv[2])"
    reference = store.path(files.folder).as_mount()
    run = submit(lab, script, reference, arguments=[str(reference), str(lab.gate())])
    wait_for(run, "Running")
    files["a.csv"] = "somebody else's"
    lab.gate().touch()
    done(run)
    assert files["a.csv"] == "somebody else's"


def test_a_mount_at_a_folder_of_this_machine_is_gone_after_the_job(lab, store, files, tmp_path):
    target = tmp_path / "mounted"
    reference = DataReference(store, "data", files.folder, "mount", str(target))
    for _ in range(2):
        run = done(submit(lab, SHOW, reference))
        seen = json_of(run, "outputs/seen.json", tmp_path)
        assert seen["path"] == f"{target}/{files.folder}" and len(seen["files"]) == 2
        assert list(Path(seen["path"]).iterdir()) == []
    own = target / files.folder / "own.txt"
    own.write_text("dear to me")
    run = done(submit(lab, SHOW, reference), "Failed")
    assert "has files on this machine" in error_of(run)["message"]
    assert own.read_text() == "dear to me" and "own.txt" not in files.names()


def test_a_mount_of_nothing_is_an_empty_folder_and_a_download_an_error(lab, store, files):
    empty = store.path(f"{files.folder}/nothing").as_mount()
    done(submit(lab, "import os, sys; assert os.listdir(sys.argv[1]) == []", empty))
    run = done(submit(lab, "print(1)", store.path(f"{files.folder}/a").as_download()), "Failed")
    message = error_of(run)["message"]
    assert "has nothing at" in message and "Check path_on_datastore" in message


def test_a_place_that_cannot_be_written_fails_the_run(lab, store, files, tmp_path):
    (tmp_path / "file").write_text("")
    reference = store.path(files.folder).as_download(path_on_compute=str(tmp_path / "file" / "x"))
    run = done(submit(lab, "print(1)", reference), "Failed")
    message = error_of(run)["message"]
    assert "cannot be made available" in message and str(tmp_path / "file") in message


def test_the_processes_of_a_job_share_a_mount(lab, store, files):
    script = """
        import os, sys
        path = os.environ["AZUREML_DATAREFERENCE_data"]
        assert os.path.exists(path + "/a.csv")
        open(f"{path}/{os.environ['OMPI_COMM_WORLD_RANK']}.txt", "w").write("here")
    """
    reference = DataReference(store, "data", files.folder, "mount")
    layout = MpiConfiguration(process_count_per_node=2, node_count=2)
    done(submit(lab, script, reference, distributed_job_config=layout))
    assert [name for name in files.names() if name.endswith(".txt")] == [
        f"{rank}.txt" for rank in range(4)
    ]


def test_resume_from(lab, files, store, tmp_path):
    configuration = ScriptRunConfig(
        lab.project("import os, sys; print(sys.argv[1], os.listdir(sys.argv[2]))"),
        script="train.py",
        compute_target=lab.cluster(),
        environment=own_environment(),
        resume_from=DataPath(store, f"{files.folder}/deep", name="checkpoint"),
    )
    run = done(lab.experiment().submit(configuration))
    log = text_of(run, "user_logs/std_log.txt", tmp_path)
    assert log == "--resume-from ['er']\n"


def test_a_configuration_made_by_hand(lab, files, store, tmp_path):
    """As in the notebooks of 2019: a RunConfiguration, the datastore's name as the key."""
    configuration = RunConfiguration()
    configuration.target = lab.cluster()
    configuration.environment = own_environment()
    configuration.data_references = {
        store.name: DataReferenceConfiguration(
            store.name, path_on_datastore=files.folder, mode="download", overwrite=True
        )
    }
    config = ScriptRunConfig(
        lab.project(SHOW),
        script="train.py",
        run_config=configuration,
        arguments=[str(store.as_download())],
    )
    seen = json_of(done(lab.experiment().submit(config)), "outputs/seen.json", tmp_path)
    assert seen["files"] == ["a.csv", "deep/er/b 100%.csv"]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"datastore_name": "no_such_store"}, "Could not find the datastore 'no_such_store'"),
        ({"datastore_name": "workspacefilestore"}, "is a file share"),
        ({"path_on_datastore": "../up"}, "stays within its datastore"),
        ({"datastore_name": ""}, "names no datastore"),
    ],
)
def test_references_that_cannot_be(lab, document, words):
    configuration = lab.configuration("print(1)")
    document = {"datastore_name": "workspaceblobstore", **document}
    configuration.run_config.data_references = {"data": DataReferenceConfiguration(**document)}
    with pytest.raises(ExperimentExecutionException, match=words) as told:
        lab.experiment().submit(configuration)
    assert "data reference 'data'" in str(told.value)


def test_a_datastore_that_may_only_be_read(lab, store, files, local_workspace, account, key):
    sas = generate_container_sas(
        account, store.container_name, account_key=key, permission="rl", expiry=datetime(2099, 1, 1)
    )
    Datastore.register_azure_blob_container(
        lab.ws, "only_to_read", store.container_name, account, sas_token=sas, overwrite=True
    )
    reading = Datastore.get(lab.ws, "only_to_read")
    done(submit(lab, "print(1)", reading.path(files.folder).as_download()))
    with pytest.raises(ExperimentExecutionException, match="lacks the permission Write"):
        submit(lab, "print(1)", reading.path(files.folder).as_upload())
    script = "import sys; open(sys.argv[1] + '/new.txt', 'w').write('x')"
    run = done(submit(lab, script, reading.path(files.folder).as_mount()), "Failed")
    assert "lacks the permission Write" in error_of(run)["message"]
    assert "new.txt" not in files.names()
