"""Environments: definitions by name and version, and the curated ones."""

from local_workspace.services.environment.builds import (
    definition_of_build,
    end_build,
    log_of_build,
    unfinished_builds,
)
from local_workspace.services.environment.curated import ensure_curated_environments
from local_workspace.services.environment.private_packages import with_files_of_private_packages
from local_workspace.services.environment.records import (
    get_environment,
    list_environments,
    register_environment,
)
from local_workspace.services.environment.submitted import registered

__all__ = [
    "definition_of_build",
    "end_build",
    "ensure_curated_environments",
    "get_environment",
    "list_environments",
    "log_of_build",
    "register_environment",
    "registered",
    "unfinished_builds",
    "with_files_of_private_packages",
]
