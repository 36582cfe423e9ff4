"""Lesson 01 registers a datastore, brings the data there, and registers it as datasets."""

import io

import pandas as pd
import pytest


@pytest.fixture
def lesson(run_lesson, data):
    return run_lesson("01")


def test_registers_the_container_with_its_key_and_checks_it(lesson, data, workspace):
    call = data.Datastore.register_azure_blob_container.call_args
    assert call.kwargs == {
        "workspace": workspace,
        "datastore_name": "ml_sdk_data",
        "container_name": "azure-ml-sdk-data",
        "account_name": "lessonsstorage",
        "account_key": "a2V5",
        "create_if_not_exists": True,
        "overwrite": True,
        "skip_validation": False,
    }
    workspace.set_default_datastore.assert_called_once_with("ml_sdk_data")
    assert "Default datastore: ml_sdk_data" in lesson.output
    assert "a2V5" not in lesson.output


def test_lists_the_datastores_of_a_new_workspace(lesson):
    assert lesson.rows("Datastores:")[1:] == [
        ["workspaceblobstore", "AzureBlob", "True"],
        ["workspaceartifactstore", "AzureBlob", "False"],
        ["workspaceworkingdirectory", "AzureFile", "False"],
        ["workspacefilestore", "AzureFile", "False"],
    ]
    assert "Storage account:  lessonsstorage" in lesson.output


def test_uploads_only_the_csv_files_and_reads_them_back(lesson, data):
    uploaded = {path for store, path in data.files if path.startswith("diabetes-data/")}
    assert uploaded == {"diabetes-data/diabetes.csv", "diabetes-data/diabetes2.csv"}
    assert "Read back diabetes.csv: the same bytes" in lesson.output
    assert "Read back diabetes2.csv: the same bytes" in lesson.output


def test_says_when_what_was_read_back_differs(run_lesson, data):
    def damage(src_dir, target, **options):
        upload(src_dir, target, **options)
        data.files["ml_sdk_data", "diabetes-data/diabetes.csv"] += b"x"

    upload = data.Dataset.File.upload_directory.side_effect
    data.Dataset.File.upload_directory.side_effect = damage
    # What follows the reading back is of no interest here.
    lesson = run_lesson("01", edit=lambda text: text.split("# %% A tabular dataset")[0])
    assert "Read back diabetes.csv: DIFFERENT from data/" in lesson.output
    assert "Read back diabetes2.csv: the same bytes" in lesson.output


def test_shows_the_first_rows_and_counts(lesson):
    header, *rows = lesson.rows("First 10 rows:")
    assert header[0] == "PatientID" and header[-1] == "Diabetic" and len(header) == 10
    assert len(rows) == 10
    assert {row[-1] for row in rows} <= {"0", "1"}
    assert "15000 patients, 4952 diabetic (33%)" in lesson.output


def test_the_label_is_read_as_a_number(lesson, data):
    types = data.Dataset.Tabular.from_delimited_files.call_args.kwargs["set_column_types"]
    assert list(types) == ["Diabetic"]
    assert types["Diabetic"]._type_conversion.data_type.name == "INTEGER"


def test_makes_a_hundred_files_with_one_patient_each(lesson, data):
    batch = {path: text for (_, path), text in data.files.items() if path.startswith("batch-data/")}
    assert len(batch) == 100
    patients = pd.concat([pd.read_csv("data/diabetes.csv"), pd.read_csv("data/diabetes2.csv")])
    patients = patients.set_index("PatientID")
    for path, text in batch.items():
        patient_id = int(path.removeprefix("batch-data/").removesuffix(".csv"))
        table = pd.read_csv(io.BytesIO(text))
        assert len(table) == 1
        expected = patients.loc[patient_id].drop("Diabetic")
        assert table.iloc[0].to_dict() == expected.to_dict()


def test_registers_three_datasets_with_new_versions(lesson, data):
    kinds = {name: type(versions[-1]).__name__ for name, versions in data.registered.items()}
    assert kinds == {
        "diabetes-dataset": "TabularDataset",
        "diabetes-file-dataset": "FileDataset",
        "batch-data": "FileDataset",
    }
    for versions in data.registered.values():
        assert versions[-1].register.call_args.kwargs["create_new_version"] is True
    assert lesson.rows("Datasets, newest versions:")[1:] == [
        ["diabetes-dataset", "1", "TabularDataset"],
        ["diabetes-file-dataset", "1", "FileDataset"],
        ["batch-data", "1", "FileDataset"],
    ]


def test_runs_again_and_gets_the_first_version_back(lesson, run_lesson, data):
    files = dict(data.files)
    again = run_lesson("01")
    assert data.files == files, "the same files on every run"
    assert "Newest: diabetes-dataset version 2" in again.output
    assert "First:  diabetes-dataset version 1" in again.output
