"""Containers: folders with a small record of properties beside them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from local_workspace.store.blobs.blob_errors import BlobError, ContainerNotFound
from local_workspace.store.blobs.names import check_account, check_container
from local_workspace.store.blobs.on_disk import Layout, is_folder, remove
from local_workspace.store.blobs.properties import (
    check_metadata,
    new_moment,
    to_datetime,
    to_etag,
)


@dataclass(frozen=True)
class ContainerProperties:
    """The properties of one container; `etag` without quotes."""

    name: str
    etag: str
    modified: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)


def exists(layout: Layout, account: str, container: str) -> bool:
    """Whether the container exists. Raises BlobError for names that no container can have."""
    check_account(account)
    check_container(container)
    return is_folder(layout.container(account, container))


def create(
    layout: Layout, account: str, container: str, metadata: Mapping[str, str]
) -> ContainerProperties:
    """Make a container. Raises BlobError `ContainerAlreadyExists`."""
    if exists(layout, account, container):
        raise BlobError("ContainerAlreadyExists", f"(container '{container}')")
    _clear(layout, account, container)  # what an interrupted deletion may have left
    made = write(layout, account, container, metadata)
    os.makedirs(layout.container(account, container))
    return made


def write(
    layout: Layout, account: str, container: str, metadata: Mapping[str, str]
) -> ContainerProperties:
    """Write the record of a container, with a new ETag."""
    check_metadata(metadata)
    moment = new_moment()
    record = layout.container_record(account, container)
    os.makedirs(os.path.dirname(record), exist_ok=True)
    temporary = layout.new_temporary()
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump({"moment": moment, "metadata": dict(metadata)}, file)
        os.replace(temporary, record)
    finally:
        remove(temporary)
    return ContainerProperties(container, to_etag(moment), to_datetime(moment), dict(metadata))


def read(layout: Layout, account: str, container: str) -> ContainerProperties:
    """The properties of a container. Raises ContainerNotFound."""
    if not exists(layout, account, container):
        raise ContainerNotFound(container)
    try:
        with open(layout.container_record(account, container), encoding="utf-8") as file:
            document = json.load(file)
        moment, metadata = document["moment"], document["metadata"]
    except (FileNotFoundError, ValueError, KeyError):
        # A folder made by hand is a container too.
        moment = os.stat(layout.container(account, container)).st_ctime_ns // 100
        metadata = {}
    return ContainerProperties(container, to_etag(moment), to_datetime(moment), metadata)


def delete(layout: Layout, account: str, container: str) -> str:
    """Take a container away in one step; returns the folder to give to `discard`.

    Raises ContainerNotFound.
    """
    if not exists(layout, account, container):
        raise ContainerNotFound(container)
    discarded = layout.new_temporary()
    os.rename(layout.container(account, container), discarded)
    _clear(layout, account, container)
    return discarded


def discard(folder: str) -> None:
    """Remove a folder and all in it; what cannot be removed is left to `sweep`."""
    shutil.rmtree(folder, ignore_errors=True)


def names(layout: Layout, account: str) -> list[str]:
    """The names of an account's containers, sorted."""
    check_account(account)
    try:
        found = os.listdir(layout.account(account))
    except FileNotFoundError:
        return []
    return sorted(name for name in found if _is_container(layout, account, name))


def _is_container(layout: Layout, account: str, name: str) -> bool:
    try:
        return exists(layout, account, name)
    except BlobError:
        return False


def _clear(layout: Layout, account: str, container: str) -> None:
    remove(layout.container_record(account, container))
    for folder in (
        layout.properties_of_container(account, container),
        layout.blocks_of_container(account, container),
    ):
        discarded = layout.new_temporary()
        try:
            os.rename(folder, discarded)
        except FileNotFoundError:
            continue
        discard(discarded)
