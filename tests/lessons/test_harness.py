"""The doubles are as strict as the SDK: a lesson that calls it wrongly fails here."""

import re
import socket

import pytest
from azureml.core import Environment, Workspace
from azureml.core.compute import AmlCompute

MISTAKES = [
    ("01", "datastore_name=", "name="),
    ("01", "create_if_not_exists=True", "create_if_missing=True"),
    ("01", "ws.set_default_datastore(", "ws.make_default_datastore("),
    ("01", "src_dir=", "source="),
    ("01", "set_column_types=", "column_types="),
    ("01", "create_new_version=True", "new_version=True"),
    ("01", "Dataset.get_by_name(", "Dataset.get_by_title("),
    ("01", "table.take(10)", "table.head(10)"),
]


def name_in(code):
    return re.search(r"\w+(?=[=(][^(]*$)", code)[0]


@pytest.mark.parametrize(("number", "right", "wrong"), MISTAKES)
def test_wrong_call_is_refused(run_lesson, data, number, right, wrong):
    with pytest.raises((TypeError, AttributeError), match=f"{name_in(right)}|{name_in(wrong)}"):
        run_lesson(number, edit=lambda text: text.replace(right, wrong))


def test_listing_datasets_has_the_slip_of_the_sdk(workspace, data):
    data.register(data.file("", {"a": b""}), "some")
    assert list(workspace.datasets) == []
    assert [name for name, _ in workspace.datasets.items()] == ["some"]


def test_doubles_of_methods_keep_their_parameters(sdk, workspace):
    register = sdk.method(Environment, "register", return_value="registered")
    sizes = sdk.method(AmlCompute, "supported_vmsizes", return_value=[])
    environment = Environment("some")
    assert environment.register(workspace=workspace) == "registered"
    register.assert_called_once_with(environment, workspace=workspace)
    assert AmlCompute.supported_vmsizes(workspace=workspace, location="here") == []
    with pytest.raises(TypeError, match="workspace"):
        environment.register(ws=workspace)
    with pytest.raises(TypeError, match="region"):
        AmlCompute.supported_vmsizes(workspace=workspace, region="here")
    assert sizes.call_count == 1
    with pytest.raises(AttributeError):
        sdk.method(Environment, "enrol")


def test_the_sdk_is_whole_again_afterwards():
    assert not hasattr(Environment.register, "mock")
    assert not hasattr(Workspace.from_config, "mock")


def test_workspace_has_what_the_sdk_has(workspace):
    assert Workspace.from_config() is workspace
    with pytest.raises(AttributeError):
        _ = workspace.data_sets
    with pytest.raises(TypeError):
        workspace.get_default_datastore("name")


def test_a_lesson_opens_no_connection(run_lesson, data):
    with pytest.raises(AssertionError, match="opened a connection"):
        run_lesson("01", edit=lambda text: "import socket\nsocket.create_connection(('::1', 9))")
    assert socket.socket.connect.__name__ == "refuse"


def test_an_edit_that_changes_nothing_is_a_mistake_of_the_test(run_lesson, data):
    with pytest.raises(AssertionError, match="must change something"):
        run_lesson("01", edit=lambda text: text.replace("no such text", ""))
