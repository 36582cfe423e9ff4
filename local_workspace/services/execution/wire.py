"""Jobs in the words of run history and of the SDK."""

from __future__ import annotations

from typing import Any

from local_workspace.services.execution.job import Job


def input_lineage(job: Job) -> list[dict[str, Any]]:
    """The dataset inputs of a job as run history notes them."""
    return [
        {
            "identifier": {
                "savedId": one.dataset_id,
                "registeredId": None,
                "registeredVersion": None,
            },
            "consumptionType": "RunInput",
            "inputDetails": {
                "inputName": one.name,
                "mechanism": one.mechanism.capitalize(),
                "pathOnCompute": one.path_on_compute,
            },
        }
        for one in job.inputs
    ]
