"""Lesson 02 compares compute targets, and creates or reuses the cluster."""

from unittest.mock import create_autospec

import pytest
from azureml.core.compute import AmlCompute
from azureml.core.compute.amlcompute import (
    AmlComputeNodeStateCounts,
    AmlComputeProvisioningConfiguration,
    AmlComputeStatus,
    ScaleSettings,
)
from azureml.exceptions import ComputeTargetException

SIZES = [
    ("Standard_NC6s_v3", 6, 1, 112.0),
    ("Standard_DS11_v2", 2, 0, 14.0),
    ("Standard_DS3_v2", 4, 0, 14.0),
    ("Standard_M128s", 128, 0, 2048.0),
]


def status(nodes):
    return AmlComputeStatus(
        allocation_state="Steady",
        allocation_state_transition_time=None,
        creation_time=None,
        current_node_count=nodes,
        errors=None,
        modified_time=None,
        node_state_counts=AmlComputeNodeStateCounts(0, 0, 0, 0, nodes, 0),
        provisioning_state="Succeeded",
        provisioning_state_transition_time=None,
        scale_settings=ScaleSettings(0, 2, 600),
        target_node_count=nodes,
        vm_priority="Dedicated",
        vm_size="STANDARD_DS11_V2",
    )


@pytest.fixture
def cluster(workspace):
    double = create_autospec(AmlCompute, instance=True)
    double.name, double.type, double.provisioning_state = "ml-sdk-cc", "AmlCompute", "Succeeded"
    double.get_status.return_value = status(nodes=0)
    double.list_nodes.return_value = []
    workspace.compute_targets["ml-sdk-cc"] = double
    return double


@pytest.fixture
def targets(sdk, cluster):
    """The double of ComputeTarget in a workspace that has no cluster yet."""
    keys = ("name", "vCPUs", "gpus", "memoryGB")
    sizes = [{**dict(zip(keys, size, strict=True)), "maxResourceVolumeMB": 1} for size in SIZES]
    sdk.method(AmlCompute, "supported_vmsizes", return_value=sizes)
    double = sdk.replace("azureml.core.compute.ComputeTarget")
    double.side_effect = ComputeTargetException("ComputeTargetNotFound")
    double.create.return_value = cluster
    return double


def test_creates_a_cluster_that_costs_nothing_when_idle(run_lesson, targets, workspace, cluster):
    lesson = run_lesson("02")
    created = targets.create.call_args.kwargs
    assert (created["workspace"], created["name"]) == (workspace, "ml-sdk-cc")
    config = created["provisioning_configuration"]
    assert isinstance(config, AmlComputeProvisioningConfiguration)
    assert config.vm_size == "STANDARD_DS11_V2"
    scale = config.scale_settings
    assert (scale.minimum_node_count, scale.maximum_node_count) == (0, 2)
    assert scale.idle_seconds_before_scaledown == 600
    cluster.wait_for_completion.assert_called_once()
    assert "Creating the cluster ml-sdk-cc" in lesson.output


def test_reuses_the_cluster_that_is_there(run_lesson, targets, workspace, cluster):
    targets.side_effect = None
    targets.return_value = cluster
    lesson = run_lesson("02")
    targets.assert_called_once_with(workspace=workspace, name="ml-sdk-cc")
    targets.create.assert_not_called()
    cluster.wait_for_completion.assert_called_once()
    assert "Reusing the cluster ml-sdk-cc" in lesson.output


def test_other_errors_are_not_taken_for_a_missing_cluster(run_lesson, targets):
    targets.side_effect = ConnectionError("the workspace does not answer")
    with pytest.raises(ConnectionError):
        run_lesson("02")
    targets.create.assert_not_called()


def test_compares_the_kinds_of_compute_and_creates_none_of_them(run_lesson, targets):
    lesson = run_lesson("02")
    kinds = [" ".join(row) for row in lesson.rows("Kinds of compute:")[1:]]
    for kind in ("this machine", "ACI", "AKS cluster", "AmlCompute cluster", "IoT Edge"):
        assert any(line.startswith(kind) for line in kinds), kind
    targets.create.assert_called_once()


def test_shows_sizes_from_small_to_large(run_lesson, targets):
    lesson = run_lesson("02")
    assert "4 sizes in westeurope" in lesson.output
    assert lesson.rows("4 sizes in westeurope")[1:] == [
        ["Standard_DS11_v2", "2", "14.0", "0"],
        ["Standard_DS3_v2", "4", "14.0", "0"],
        ["Standard_NC6s_v3", "6", "112.0", "1"],
    ]


def test_shows_status_and_targets(run_lesson, targets):
    lesson = run_lesson("02")
    assert ["Scale:", "0", "to", "2", "nodes"] in lesson.rows("Status of ml-sdk-cc")
    assert ["VM", "size:", "STANDARD_DS11_V2,", "Dedicated"] in lesson.rows("Status of ml-sdk-cc")
    assert "No nodes: the cluster waits for a job" in lesson.output
    assert lesson.rows("Compute targets:")[1:] == [["ml-sdk-cc", "AmlCompute", "Succeeded"]]


def test_shows_nodes_while_there_are_some(run_lesson, targets, cluster):
    cluster.get_status.return_value = status(nodes=1)
    node = {"nodeId": "tvmps_1", "nodeState": "running", "runId": "run_1", "port": 50000}
    cluster.list_nodes.return_value = [node]
    lesson = run_lesson("02")
    assert lesson.rows("Nodes:")[1:] == [["tvmps_1", "running", "run_1"]]
    assert ["Nodes", "now:", "1,", "on", "the", "way", "to", "1"] in lesson.rows("Status of")
