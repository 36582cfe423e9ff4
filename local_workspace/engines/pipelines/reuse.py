"""Which work is equal: a step may take the results of an earlier one that did the same.

The client's fingerprint of a module holds its files, arguments and defaults; what it leaves out
(script, environment, values, data, where outputs go) is added here. Nothing of this machine, of a
run or of a compute target is part of it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from local_workspace.engines.pipelines.step_jobs import Bound
from local_workspace.services.pipelines import without_ids

# Where a step runs, and what the client says of the place: the same work elsewhere is the same.
_OF_THE_PLACE = frozenset(
    {"Target", "TargetType", "MLCComputeType", "DockerEnabled", "PrepareEnvironment"}
)


def reuse_key(bound: Bound) -> str:
    """What the work and the data of a step are, as a hash."""
    step = bound.step
    configuration = {name: value for name, value in step.configuration.items() if name != "target"}
    content = {
        "module": step.module_id,
        "configuration": configuration,
        "values": {name: text for name, text in bound.values.items() if name not in _OF_THE_PLACE},
        "sources": {name: asdict(source) for name, source in bound.sources.items()},
        # A destination of the user's own may have other data each time.
        "made_by": bound.made_by,
        "inputs": [
            {
                "name": one.name,
                "mode": one.mode,
                "path": one.path_on_compute,
                "transformation": without_ids(one.transformation),
            }
            for one in step.inputs
        ],
        "outputs": [
            {
                **asdict(one),
                "registration": {
                    name: without_ids(value) for name, value in one.registration.items()
                },
            }
            for one in step.outputs
        ],
    }
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
