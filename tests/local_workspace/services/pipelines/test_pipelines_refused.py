"""Pipelines that cannot run say why."""

import pytest
from execution_helpers import error_of


def test_a_step_without_its_compute_target_fails_with_the_reason(bench):
    gone = bench.lab.cluster("pipelines-gone", max_nodes=1)
    step = bench.step("lost", "print(1)")
    step._runconfig.target = gone
    step._compute_target = gone
    gone.delete()
    run = bench.run(step)
    assert run.get_status() == "Failed"
    assert "'pipelines-gone' does not exist" in error_of(run)["message"]
    assert bench.status_of(run) == {"lost": "Failed"}


def module_document(name, **values):
    interface = {
        "Inputs": [{"Name": "in", "DataTypeIdsList": ["AnyFile"]}],
        "Outputs": [{"Name": "out", "DataTypeId": "AnyFile"}],
        "Parameters": [],
        "MetadataParameters": [],
        "Arguments": [],
    }
    return {"Name": name, "StructuredInterface": interface, **values}


def edge(begin, end):
    return {
        "SourceOutputPort": {"NodeId": begin, "PortName": "out"},
        "DestinationInputPort": {"NodeId": end, "PortName": "in"},
    }


@pytest.fixture
def post_graph(caller):
    """Sends a graph of the modules by node, with edges between them; the answer."""
    call = caller("/pipelines/v1.0{scope}")

    def post(modules, *edges):
        nodes = []
        for node, document in modules.items():
            module = call("POST", "/Modules", document).json()
            nodes.append({"Id": node, "ModuleId": module["Id"]})
        body = {"CreationInfo": {}, "Graph": {"ModuleNodes": nodes, "Edges": list(edges)}}
        path = "/PipelineRuns/Unsubmitted/CreationInfoWithGraph?experimentName=graphs"
        return call("POST", path, body)

    return post


def test_steps_of_services_that_are_not_here_are_refused_at_submit(post_graph):
    spark = module_document("spark", ModuleExecutionType="databrickscloud")
    spark["StructuredInterface"]["Inputs"] = []
    answer = post_graph({"1": spark})
    assert answer.status_code == 400
    assert "needs an Azure Databricks workspace" in answer.json()["Error"]["Message"]


def test_a_circle_is_refused_at_submit(post_graph):
    modules = {"1": module_document("first"), "2": module_document("second")}
    answer = post_graph(modules, edge("1", "2"), edge("2", "1"))
    assert answer.status_code == 400
    message = answer.json()["Error"]["Message"]
    assert "in a circle" in message
    assert "first" in message and "second" in message


def test_an_edge_from_nowhere_and_an_empty_graph_are_refused(post_graph):
    answer = post_graph({"1": module_document("first")}, edge("9", "1"))
    assert "'9', which is no node" in answer.json()["Error"]["Message"]
    assert "has no steps" in post_graph({}).json()["Error"]["Message"]
