"""Datastores, files and datasets that live in memory, behind the signatures of the SDK.

`Dataset` of the lesson becomes a double: uploads land in `DataInMemory.files`, datasets read from
there, and registering gives versions. `Datastore` becomes one, too. Everything else that a lesson
calls on them is an ordinary mock with the real signature.
"""

import fnmatch
import io
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from unittest.mock import create_autospec

import pandas as pd
from azureml.data import FileDataset, TabularDataset
from azureml.data.abstract_dataset import _DatasetDict
from azureml.data.azure_storage_datastore import AzureBlobDatastore, AzureFileDatastore
from azureml.data.dataset_consumption_config import DatasetConsumptionConfig
from repository import REPOSITORY

BORN_WITH = {
    "workspaceblobstore": AzureBlobDatastore,
    "workspaceartifactstore": AzureBlobDatastore,
    "workspaceworkingdirectory": AzureFileDatastore,
    "workspacefilestore": AzureFileDatastore,
}


class DataInMemory:
    """What a workspace knows about data.

    Attributes:
        files: (datastore, path) to content.
        registered: name to the datasets of that name, the oldest first.
        Dataset, Datastore: the doubles that a lesson imports.
    """

    def __init__(self, workspace, sdk):
        self.files: dict[tuple[str, str], bytes] = {}
        self.registered: dict[str, list] = {}
        self._workspace = workspace
        self._default = "workspaceblobstore"
        for name, kind in BORN_WITH.items():
            self.add_datastore(name, kind)
        workspace.get_default_datastore.side_effect = lambda: workspace.datastores[self._default]
        workspace.set_default_datastore.side_effect = self._set_default
        # The SDK's own mapping, with its slip: list() of it is empty.
        workspace.datasets = _DatasetDict(workspace, self._list, self._get)

        self.Dataset = sdk.replace("azureml.core.Dataset")
        self.Dataset.get_by_name.side_effect = self._get_by_name
        self.Dataset.File.upload_directory.side_effect = self._upload
        self.Dataset.File.from_files.side_effect = self._from_files
        self.Dataset.Tabular.from_delimited_files.side_effect = self._from_delimited_files
        self.Datastore = sdk.replace("azureml.core.Datastore")
        self.Datastore.register_azure_blob_container.side_effect = self._register_container

    def add_datastore(self, name, kind=AzureBlobDatastore, container="container"):
        """Add a datastore of the class `kind` to the workspace."""
        store = create_autospec(kind, instance=True)
        store.name, store.container_name = name, container
        store.datastore_type = "AzureBlob" if kind is AzureBlobDatastore else "AzureFile"
        self._workspace.datastores[name] = store
        return store

    def tabular(self, frame):
        """A TabularDataset of the rows of `frame`."""
        dataset = self._dataset(TabularDataset)
        dataset.to_pandas_dataframe.side_effect = lambda **_: frame.copy()
        dataset.take.side_effect = lambda count: self.tabular(frame.head(count))
        dataset.filter.side_effect = lambda expression: self.tabular(frame[expression])
        dataset.__getitem__.side_effect = lambda key: frame[key]
        return dataset

    def file(self, folder, contents):
        """A FileDataset of `contents` (path to bytes); paths are shown relative to `folder`."""

        def download(target_path, **_):
            targets = [Path(target_path, PurePosixPath(path).relative_to(folder)) for path in paths]
            for target, content in zip(targets, contents.values(), strict=True):
                target.write_bytes(content)
            return [str(target) for target in targets]

        paths = list(contents)
        dataset = self._dataset(FileDataset)
        dataset.download.side_effect = download
        dataset.to_path.side_effect = lambda: [
            f"/{PurePosixPath(path).relative_to(folder)}" for path in paths
        ]
        return dataset

    def register(self, dataset, name, tags=None):
        """Register `dataset` as the next version of `name`."""
        versions = self.registered.setdefault(name, [])
        versions.append(dataset)
        dataset.name, dataset.version, dataset.tags = name, len(versions), tags or {}
        return dataset

    def add_diabetes(self, rows=None):
        """What lesson 01 leaves behind: `diabetes-dataset`, all patients or the first `rows`."""
        files = sorted((REPOSITORY / "data").glob("*.csv"))
        frame = pd.concat([pd.read_csv(file) for file in files], ignore_index=True).iloc[:rows]
        return self.register(self.tabular(frame), "diabetes-dataset")

    def _dataset(self, kind):
        dataset = create_autospec(kind, instance=True)
        # Every mock has a class of its own; lessons print the name of the real one.
        type(dataset).__name__ = kind.__name__
        dataset.as_named_input.side_effect = lambda name: DatasetConsumptionConfig(name, dataset)
        dataset.register.side_effect = lambda workspace, name, tags=None, **_: self.register(
            dataset, name, tags
        )
        return dataset

    def _set_default(self, name):
        assert name in self._workspace.datastores, f"there is no datastore {name}"
        self._default = name

    def _register_container(self, workspace, datastore_name, container_name, **_):
        return self.add_datastore(datastore_name, container=container_name)

    def _upload(self, src_dir, target, pattern=None, **_):
        datastore, folder = target
        for path in sorted(Path(src_dir).resolve().rglob("*")):
            # The SDK compares the pattern with the whole path of a file.
            if path.is_file() and (pattern is None or fnmatch.fnmatch(path.as_posix(), pattern)):
                name = path.relative_to(Path(src_dir).resolve()).as_posix()
                self.files[datastore.name, f"{folder}/{name}"] = path.read_bytes()
        return self._from_files((datastore, folder + "/**"))

    def _matching(self, path):
        datastore, pattern = path
        folder = PurePosixPath(pattern.split("*")[0] + "_").parent
        found = {
            name: content
            for (store, name), content in sorted(self.files.items())
            if store == datastore.name and fnmatch.fnmatch(name, pattern)
        }
        assert found, f"nothing in the datastore {datastore.name} matches {pattern}"
        return folder, found

    def _from_files(self, path, **_):
        return self.file(*self._matching(path))

    def _from_delimited_files(self, path, **_):
        _, found = self._matching(path)
        frames = [pd.read_csv(io.BytesIO(content)) for content in found.values()]
        return self.tabular(pd.concat(frames, ignore_index=True))

    def _get_by_name(self, workspace, name, version="latest", **_):
        versions = self.registered[name]
        return versions[-1] if version == "latest" else versions[version - 1]

    def _get(self, name):
        return self.registered[name][-1]

    def _list(self, continuation_token):
        rows = [
            SimpleNamespace(
                name=name,
                dataset_id=name,
                description="",
                tags=versions[-1].tags,
                latest=SimpleNamespace(version_id=str(len(versions)), saved_dataset_id=name),
            )
            for name, versions in self.registered.items()
        ]
        return SimpleNamespace(value=rows, continuation_token=None)
