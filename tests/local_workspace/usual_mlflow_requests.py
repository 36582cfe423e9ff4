"""What is usual: the bodies and parameters that MLflow's client sends."""

from __future__ import annotations

from typing import Any

_PAGE = {"filter": "", "max_results": 5, "order_by": [], "page_token": ""}
_TAG = {"key": "k", "value": "v"}
# MLflow's operations and their usual bodies; GET takes them as parameters.
MLFLOW: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "runs/create"): {
        "experiment_id": "{experiment_id}",
        "user_id": "u",
        "start_time": 1,
        "run_name": "n",
        "tags": [_TAG],
    },
    ("POST", "runs/update"): {"run_id": "r", "status": "RUNNING", "end_time": 5, "run_name": "n"},
    ("POST", "runs/log-metric"): {
        "run_id": "r",
        "key": "k",
        "value": 1.5,
        "timestamp": 1,
        "step": 1,
    },
    ("POST", "runs/log-parameter"): {"run_id": "r", "key": "k", "value": "v"},
    ("POST", "runs/set-tag"): {"run_id": "r", **_TAG},
    ("POST", "runs/delete-tag"): {"run_id": "r", "key": "k"},
    ("POST", "runs/log-batch"): {
        "run_id": "r",
        "metrics": [{"key": "k", "value": 1.0, "timestamp": 1, "step": 1}],
        "params": [{"key": "k", "value": "v"}],
        "tags": [_TAG],
    },
    ("POST", "runs/log-model"): {"run_id": "r", "model_json": '{"run_id": "r"}'},
    ("POST", "runs/log-inputs"): {
        "run_id": "r",
        "datasets": [
            {
                "tags": [_TAG],
                "dataset": {"name": "n", "digest": "d", "source_type": "t", "source": "s"},
            }
        ],
    },
    ("POST", "runs/search"): {"experiment_ids": ["{experiment_id}"], **_PAGE},
    ("GET", "runs/get"): {"run_id": "r"},
    ("POST", "runs/restore"): {"run_id": "r"},
    ("POST", "experiments/create"): {"name": "made", "artifact_location": "", "tags": [_TAG]},
    ("POST", "experiments/search"): {"view_type": "ALL", **_PAGE},
    ("GET", "experiments/search"): {"view_type": "ALL", **_PAGE},
    ("GET", "experiments/get"): {"experiment_id": "{experiment_id}"},
    ("GET", "experiments/get-by-name"): {"experiment_name": "e"},
    ("POST", "experiments/set-experiment-tag"): {"experiment_id": "{experiment_id}", **_TAG},
    ("POST", "experiments/update"): {"experiment_id": "{experiment_id}", "new_name": "e"},
    ("GET", "metrics/get-history"): {
        "run_id": "r",
        "metric_key": "m",
        "max_results": 5,
        "page_token": "",
    },
    ("GET", "artifacts/list"): {"run_id": "r", "path": "outputs"},
    ("POST", "registered-models/create"): {"name": "q", "tags": [_TAG], "description": "about"},
    ("PATCH", "registered-models/update"): {"name": "m", "description": "about"},
    ("POST", "registered-models/rename"): {"name": "m", "new_name": "m"},
    ("GET", "registered-models/get"): {"name": "m"},
    ("GET", "registered-models/search"): _PAGE,
    ("POST", "registered-models/get-latest-versions"): {"name": "m", "stages": ["None"]},
    ("POST", "registered-models/set-tag"): {"name": "m", **_TAG},
    ("DELETE", "registered-models/delete-tag"): {"name": "m", "key": "k"},
    ("POST", "registered-models/alias"): {"name": "m", "alias": "a", "version": "1"},
    ("GET", "registered-models/alias"): {"name": "m", "alias": "a"},
    ("POST", "model-versions/create"): {
        "name": "m",
        "source": "runs:/r/outputs",
        "run_id": "r",
        "tags": [_TAG],
        "description": "about",
    },
    ("GET", "model-versions/get"): {"name": "m", "version": "1"},
    ("PATCH", "model-versions/update"): {"name": "m", "version": "1", "description": "about"},
    ("GET", "model-versions/search"): _PAGE,
    ("GET", "model-versions/get-download-uri"): {"name": "m", "version": "1"},
    ("POST", "model-versions/transition-stage"): {
        "name": "m",
        "version": "1",
        "stage": "Staging",
        "archive_existing_versions": True,
    },
    ("POST", "model-versions/set-tag"): {"name": "m", "version": "1", **_TAG},
    ("DELETE", "model-versions/delete-tag"): {"name": "m", "version": "1", "key": "k"},
}
