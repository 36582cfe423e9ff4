"""Run history without the SDK."""

import pytest


@pytest.fixture
def call(caller):
    """Call run history directly: call(method, path, body) gives the response."""
    return caller("/history/v1.0{scope}")
