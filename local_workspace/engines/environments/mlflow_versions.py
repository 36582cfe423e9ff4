"""Which MLflow an environment gets.

MLflow 3 logs models to addresses (`logged-models`) that Azure ML answers with 404, and
azureml-mlflow takes whichever version is the latest. So it is kept below 3 unless the definition
itself asks for 3.
"""

from __future__ import annotations

from collections.abc import Iterable

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

PACKAGES = frozenset({"mlflow", "mlflow-skinny"})
CONSTRAINTS = [f"{name}<3" for name in sorted(PACKAGES)]
REMARK = (
    "MLflow is kept below version 3 (mlflow<3, mlflow-skinny<3), because Azure ML does not answer "
    "what MLflow 3 asks when it logs a model. An environment that asks for mlflow>=3 gets it."
)
_FROM = ("==", "===", "~=", ">=", ">")


def is_kept_below_3(requirements: Iterable[str]) -> bool:
    """Whether none of `requirements` asks for MLflow 3 or later."""
    return not any(_asks_for_3(line) for line in requirements)


def _asks_for_3(line: str) -> bool:
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return False
    if canonicalize_name(requirement.name) not in PACKAGES:
        return False
    # What an address leads to is the user's choice.
    if requirement.url is not None:
        return True
    return any(
        clause.operator in _FROM and _major(clause.version) >= 3 for clause in requirement.specifier
    )


def _major(version: str) -> int:
    try:
        return Version(version.removesuffix(".*")).major
    except InvalidVersion:
        return 0
