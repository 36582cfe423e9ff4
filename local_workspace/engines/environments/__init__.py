"""Environments as virtual environments of this machine."""

from local_workspace.engines.environments.builder import EnvironmentBuildError
from local_workspace.engines.environments.engine import EnvironmentsEngine, Wanted

__all__ = ["EnvironmentBuildError", "EnvironmentsEngine", "Wanted"]
