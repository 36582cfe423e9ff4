"""What the tests of several services need."""

import pytest


@pytest.fixture
def ws(local_workspace):
    """The SDK's workspace."""
    return local_workspace.workspace


@pytest.fixture
def account(local_workspace):
    """The name of the storage account."""
    return local_workspace.settings.storage_account


@pytest.fixture
def key(local_workspace):
    """The key of the storage account."""
    return local_workspace.settings.storage_key
