"""The curated environments that SDK v1 tutorials ask for, for CPUs.

Each is an ordinary document whose packages are those of requirements.txt or can be installed
together from PyPI on Python 3.10. The environment that the workspace itself runs in satisfies
them, so that a job in one of them starts without a build.
"""

from __future__ import annotations

from typing import Any

from local_workspace.services.environment.parsing import definition_of
from local_workspace.services.environment.records import (
    LATEST,
    OTHER_SPELLINGS,
    get_environment,
    register_environment,
)
from local_workspace.store.tables.environment import EnvironmentRow
from local_workspace.workspace import LocalWorkspace

_SKLEARN = [
    "azureml-defaults",
    "azureml-mlflow",
    "mlflow>=2.22,<3",
    "scikit-learn>=1.5,<1.6",
    "pandas>=1.5,<2",
    "numpy>=1.23,<2",
    "scipy>=1.10",
    "joblib>=1.2",
    "matplotlib>=3.6",
    "psutil",
    "tqdm",
]

_PIP_PACKAGES = {
    "AzureML-Minimal": ["azureml-core", "azureml-defaults"],
    "AzureML-sklearn-1.5": _SKLEARN,
    "AzureML-Tutorial": [
        "azureml-core",
        "azureml-defaults",
        "azureml-telemetry",
        "azureml-train-core",
        "azureml-train-restclients-hyperdrive",
        "azureml-pipeline-core",
        "azureml-pipeline-steps",
        "azureml-widgets",
        "azureml-mlflow",
        "mlflow>=2.22,<3",
        "scikit-learn>=1.5,<1.6",
        "pandas>=1.5,<2",
        "matplotlib>=3.6",
    ],
    "AzureML-AutoML": [
        "azureml-core",
        "azureml-defaults",
        "azureml-train-automl-runtime",
        "azureml-interpret",
        "azureml-mlflow",
        "mlflow>=2.22,<3",
        "pandas>=1.5,<2",
    ],
}


def ensure_curated_environments(workspace: LocalWorkspace) -> None:
    """Register the curated environments; what is registered already costs one look."""
    definitions = {name: _definition(packages) for name, packages in _PIP_PACKAGES.items()}
    # Names of environments are case-sensitive, and both spellings are in use.
    definitions |= {other: definitions[name] for other, name in OTHER_SPELLINGS.items()}
    with workspace.database.read() as session:
        missing = [
            name
            for name, definition in definitions.items()
            if session.get(EnvironmentRow, name) is None
            or get_environment(session, name, LATEST).definition != definition
        ]
    if not missing:
        return
    with workspace.database.write() as session:
        for name in missing:
            register_environment(session, name, definitions[name], curated=True)


def _definition(pip_packages: list[str]) -> dict[str, Any]:
    return definition_of(
        {
            "python": {
                "interpreterPath": "python",
                "userManagedDependencies": False,
                "condaDependencies": {
                    "name": "project_environment",
                    "channels": ["conda-forge"],
                    "dependencies": ["python=3.10", "pip", {"pip": pip_packages}],
                },
                "condaDependenciesFile": None,
                "baseCondaEnvironment": None,
            },
            "environmentVariables": {},
            "docker": {
                "enabled": False,
                "baseImage": None,
                "baseDockerfile": None,
                "buildContext": None,
                "baseImageRegistry": {"address": None, "username": None, "password": None},
                "platform": {"os": "Linux", "architecture": "amd64"},
                "arguments": [],
            },
            "spark": {"repositories": [], "packages": [], "precachePackages": True},
            "inferencingStackVersion": None,
        }
    )
