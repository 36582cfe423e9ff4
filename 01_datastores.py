"""Datastores and datasets: bring data into the workspace.

What you will do: look at the workspace, register a blob container as a datastore, upload the
diabetes data, describe it as datasets, and register these with versions for all later lessons.

The ideas
- A workspace is the place where everything has its name: data, compute, runs, models, services.
- A datastore is a storage account's container plus the credential to open it. You give the key
  once, at registration; scripts and jobs then need only the datastore's name.
- A dataset describes where data lies and how it is read; it copies nothing. A tabular dataset
  reads rows and columns out of files, a file dataset hands out the files as they are.
- Registering gives a dataset a name and a version, so that a model can tell what it learnt from.

Needs: nothing
Cost and time on Azure: a megabyte of storage, far below a cent a month; about a minute.
In SDK v2: AzureBlobDatastore instead of register_azure_blob_container; Data assets (uri_file,
uri_folder, mltable) instead of datasets; upload by creating a Data asset from a local path.
"""

# %% Sign in: .env first, because the SDK reads its cloud settings when it is imported
from importlib.util import find_spec

if not (find_spec("azureml") and find_spec("dotenv")):
    raise SystemExit("This Python lacks the SDK: type `python run.py 01`, which brings its own.")

from dotenv import load_dotenv

load_dotenv(override=True)  # override: .env decides which workspace, not the shell (default False)

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from azureml.core import Dataset, Datastore, Workspace
from azureml.data import DataType

# Looks for .azureml/config.json in this folder and in all above it, then for config.json.
ws = Workspace.from_config()
details = ws.get_details()
print(f"Workspace:        {ws.name}")
print(f"Resource group:   {ws.resource_group}")
print(f"Subscription id:  {ws.subscription_id}")
print(f"Region:           {ws.location}")
print(f"Storage account:  {details['storageAccount'].split('/')[-1]}")

# %% The datastores there are; every workspace is born with four
# workspaceblobstore is for data, workspaceartifactstore keeps the files of runs,
# workspaceworkingdirectory and workspacefilestore are file shares for notebooks and code.
default_name = ws.get_default_datastore().name
stores = [
    {"datastore": name, "type": store.datastore_type, "default": name == default_name}
    for name, store in ws.datastores.items()
]
print("\nDatastores:\n" + pd.DataFrame(stores).to_string(index=False))

# %% Register a container of your own as a datastore
datastore = Datastore.register_azure_blob_container(
    workspace=ws,
    datastore_name="ml_sdk_data",  # letters, digits and _; capitals become small letters
    container_name="azure-ml-sdk-data",  # the container's name in the account
    account_name=os.environ["AZURE_STORAGE_ACCOUNT"],  # the storage account, from .env
    account_key=os.environ["AZURE_STORAGE_KEY"],  # one of its two keys; or sas_token=
    create_if_not_exists=True,  # create the container if it is missing (default False)
    overwrite=True,  # replace an earlier registration, say with a new key (default False)
    skip_validation=False,  # False: try the key now, not when the first job reads (default False)
)
ws.set_default_datastore("ml_sdk_data")  # back: ws.set_default_datastore("workspaceblobstore")
print(f"\nRegistered {datastore.name}: container {datastore.container_name}")
print(f"Default datastore: {ws.get_default_datastore().name}")

# %% Upload the CSV files of data/
# Older code calls datastore.upload_files() or datastore.upload(): deprecated, they say so.
Dataset.File.upload_directory(
    src_dir="data",  # local folder
    target=(datastore, "diabetes-data"),  # datastore and folder in it
    pattern="*.csv",  # only these files (default None: all); it must match the absolute path
    overwrite=True,  # replace files that are there; False skips them (default False)
    show_progress=False,  # no line for each file (default True)
)
print("\nUploaded data/*.csv to diabetes-data/")

# %% Read back: if this works, so will every job
# "Authentication failed when trying to connect to datastore" means that account, key and container
# do not fit together: the key is another account's, or it was regenerated after registration, or
# the account forbids access by key. Registration tries the key once and refuses a wrong one; a key
# that is regenerated later shows only when data is read. Register again, with overwrite=True and
# the new key; for the workspace's own datastores call ws.sync_keys().
files = Dataset.File.from_files(
    path=(datastore, "diabetes-data/*.csv"),  # * within a folder, ** through all folders
    validate=True,  # fail now if nothing matches or nothing can be read (default True)
)
# Lines like {'infer_column_types': ..., 'activity': ...} are left over in the SDK: ignore them.
with TemporaryDirectory() as folder:
    downloaded = files.download(
        target_path=folder,  # local folder (default: a new temporary one)
        overwrite=True,  # replace files that are there (default False)
    )
    for path in map(Path, downloaded):
        same = path.read_bytes() == Path("data", path.name).read_bytes()
        print(f"Read back {path.name}: {'the same bytes' if same else 'DIFFERENT from data/'}")

# %% A tabular dataset: rows and columns
table = Dataset.Tabular.from_delimited_files(
    path=(datastore, "diabetes-data/*.csv"),
    separator=",",  # default ","
    header=True,  # each file has one: True; or PromoteHeadersBehavior (default True)
    infer_column_types=True,  # guess from the first 200 rows (default True)
    set_column_types={"Diabetic": DataType.to_long()},  # else 0 and 1 are taken for False and True
)
first_rows = table.take(10).to_pandas_dataframe()  # take is lazy; only these rows are read
print("\nFirst 10 rows:\n" + first_rows.to_string(index=False))

patients = table.to_pandas_dataframe()  # reads all; 1.2 MB in memory
diabetic = table.filter(table["Diabetic"] == 1).to_pandas_dataframe()  # the filter runs on reading
print(f"\n{len(patients)} patients, {len(diabetic)} diabetic ({len(diabetic) / len(patients):.0%})")

# %% A file dataset: the files as they are
paths = files.to_path()  # relative to the folder before the *
print("\nFiles in the file dataset:")
for path in paths:
    print(f"  {path}")

# %% 100 files with one patient each, for the batch scoring of lesson 08
# Each has a header and one row: the eight features, without PatientID (it is the file's name) and
# without the answer. A fixed random_state makes the same files on every run.
chosen = patients.sample(n=100, random_state=0).set_index("PatientID").drop(columns="Diabetic")
with TemporaryDirectory() as folder:
    for patient_id in chosen.index:
        chosen.loc[[patient_id]].to_csv(Path(folder, f"{patient_id}.csv"), index=False)
    batch_files = Dataset.File.upload_directory(
        src_dir=folder, target=(datastore, "batch-data"), overwrite=True, show_progress=False
    )
print(f"\nUploaded {len(chosen)} files to batch-data/: {chosen.index[0]}.csv and so on")

# %% Register: a name, a version, tags
# The same description keeps its version, so a second run of this lesson adds none; a changed one
# gets the next number. The data itself is not copied: keep the files of a version where they are.
table = table.register(
    workspace=ws,
    name="diabetes-dataset",  # how jobs ask for it
    description="15,000 synthetic patients, rows and columns",  # free text (default None)
    tags={"format": "CSV", "source": "data/make_diabetes.py"},  # to search by (default None)
    create_new_version=True,  # False is an error if the name is taken (default False)
)
files.register(
    workspace=ws,
    name="diabetes-file-dataset",
    description="The same patients, as files",
    tags={"format": "CSV"},
    create_new_version=True,
)
batch_files.register(
    workspace=ws,
    name="batch-data",
    description="100 files with one patient each",
    tags={"format": "CSV", "lesson": "08"},
    create_new_version=True,
)

# %% All datasets of the workspace
# By items(), as here: list(ws.datasets) and sorted(ws.datasets) are empty, a slip of the SDK.
rows = [
    {"dataset": name, "version": dataset.version, "type": type(dataset).__name__}
    for name, dataset in ws.datasets.items()
]
print("\nDatasets, newest versions:\n" + pd.DataFrame(rows).to_string(index=False))

# %% Get one back, as every later lesson does
newest = Dataset.get_by_name(workspace=ws, name="diabetes-dataset")  # version="latest" is default
first = Dataset.get_by_name(workspace=ws, name="diabetes-dataset", version=1)  # exactly this one
print(f"\nNewest: {newest.name} version {newest.version}, tags {newest.tags}")
print(f"First:  {first.name} version {first.version}")

# %% What next
# To clean up: newest.unregister_all_versions(), datastore.unregister(); both leave the files alone.
print("\nNext: 02_compute.py makes the cluster that will work on this data.")
