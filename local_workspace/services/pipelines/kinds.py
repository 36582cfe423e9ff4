"""The kinds of steps that there are, and which of them run here."""

from __future__ import annotations

from local_workspace.errors import NotImplementedHere
from local_workspace.services.pipelines.graph import Step

# Steps whose work is a script or a command on a compute target.
_ON_COMPUTE = "escloud"
_NOT_OFFERED = {
    "databrickscloud": "DatabricksStep needs an Azure Databricks workspace",
    "adlcloud": "AdlaStep needs Azure Data Lake Analytics",
    "azurebatchcloud": "AzureBatchStep needs Azure Batch",
    "kustocloud": "KustoStep needs Azure Data Explorer",
    "hdinsightcloud": "an HDInsight step needs Azure HDInsight",
    "synapse": "SynapseSparkStep needs an Azure Synapse Spark pool",
}


def check_kind(step: Step) -> None:
    """Raise NotImplementedHere for a step of a kind that is not run here."""
    execution_type = step.execution_type.lower()
    if execution_type in _NOT_OFFERED:
        raise NotImplementedHere(
            f"The step '{step.name}' cannot run here: {_NOT_OFFERED[execution_type]}, and the "
            "local workspace has none.",
            status=400,
        )
    if execution_type != _ON_COMPUTE or step.kind == "ParallelRunStep":
        raise NotImplementedHere(
            f"The step '{step.name}' is a {step.kind}: the local workspace does not run these yet. "
            "It runs PythonScriptStep, CommandStep, EstimatorStep and MpiStep.",
            status=400,
        )
