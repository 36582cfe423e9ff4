"""What an environment's definition asks for, in the words of pip."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from packaging.specifiers import SpecifierSet

from local_workspace.engines.environments import conda_names
from local_workspace.errors import BadRequest


class EnvironmentBuildError(BadRequest):
    """An environment cannot be had, and the message says why.

    Its first line is a sentence; the others, if any, are the installer's.
    """


class EnvironmentBuildCanceled(EnvironmentBuildError):
    """Nobody waits for the environment any more."""


@dataclass
class Plan:
    """A definition, read.

    Attributes:
        interpreter: the Python of a user-managed environment, as given; None when the environment
            is to be made.
        python: the versions of Python that are wanted; empty for any.
        python_text: the same as the user wrote it.
        requirements: packages, one line each, as pip reads them.
        file_options: lines for a requirements file, such as `--extra-index-url ...`.
        arguments: options of the installer's command line.
        notes: what differs from Azure, for the log.
    """

    interpreter: str | None = None
    python: SpecifierSet = field(default_factory=SpecifierSet)
    python_text: str = ""
    requirements: list[str] = field(default_factory=list)
    file_options: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


# What Environment() declares when its user says nothing about Python.
_PYTHON_OF_THE_SDK = "3.8.13"
# Options of pip that may stand in a definition: whether a value follows, and where it belongs.
_FILE_OPTIONS = {
    "-i": "--index-url",
    "--index-url": "--index-url",
    "--extra-index-url": "--extra-index-url",
    "-f": "--find-links",
    "--find-links": "--find-links",
    "--no-binary": "--no-binary",
    "--only-binary": "--only-binary",
}
_FLAGS = {"--no-index": "file", "--pre": "--prerelease=allow", "--prefer-binary": None}
_FILES = {"-r", "--requirement", "-c", "--constraint", "-e", "--editable"}


def read_plan(definition: Mapping[str, Any]) -> Plan:
    """The plan of an environment's definition (the document of `Environment`).

    Raises EnvironmentBuildError for what cannot be followed.
    """
    plan = Plan()
    _read_docker(plan, definition.get("docker") or {})
    if definition.get("r"):
        plan.notes.append("The R section is not used: jobs run in Python.")
    python = definition.get("python") or {}
    if python.get("userManagedDependencies"):
        plan.interpreter = python.get("interpreterPath") or "python"
        return plan
    dependencies = python.get("condaDependencies")
    if dependencies is None:
        if python.get("condaDependenciesFile"):
            raise EnvironmentBuildError(
                f"The definition refers to the file {python['condaDependenciesFile']} instead of "
                "containing its packages. Use Environment.from_conda_specification."
            )
        plan.notes.append("The definition has no Python packages.")
        return plan
    if python.get("baseCondaEnvironment"):
        plan.notes.append(
            f"The conda environment '{python['baseCondaEnvironment']}' is not used as a base: "
            "the packages are installed into an environment of their own."
        )
    _read_conda(plan, dependencies)
    return plan


def _read_docker(plan: Plan, docker: Mapping[str, Any]) -> None:
    image = docker.get("baseImage")
    if docker.get("baseDockerfile") or docker.get("buildContext"):
        plan.notes.append(
            "The Dockerfile is not run: the local workspace makes a virtual environment of this "
            "machine from the Python packages of the definition."
        )
    elif image:
        plan.notes.append(
            f"The image {image} is not used: the local workspace makes a virtual environment of "
            "this machine from the Python packages of the definition."
        )
        if "cuda" in image.lower():
            plan.notes.append("There is no CUDA here: the job runs on CPUs.")


def _read_conda(plan: Plan, dependencies: Any) -> None:
    if not isinstance(dependencies, Mapping):
        raise EnvironmentBuildError("'condaDependencies' of the definition must be an object.")
    channels = [str(channel) for channel in dependencies.get("channels") or []]
    if channels:
        plan.notes.append(
            f"The conda channels {', '.join(channels)} are not used: packages come from the Python "
            "package index."
        )
    for item in dependencies.get("dependencies") or []:
        if isinstance(item, Mapping):
            for entry in item.get("pip") or []:
                _read_pip(plan, str(entry).strip())
        else:
            _read_conda_package(plan, str(item))


def _read_conda_package(plan: Plan, dependency: str) -> None:
    try:
        package = conda_names.read(dependency)
    except conda_names.UnreadableDependency as error:
        raise EnvironmentBuildError(str(error)) from error
    if package.name == "pip":
        return
    if package.name == "python":
        _read_python(plan, dependency, package.versions)
        return
    requirement, remark = conda_names.requirement(package)
    if requirement is not None and requirement not in plan.requirements:
        plan.requirements.append(requirement)
    if remark is not None:
        plan.notes.append(remark)


def _read_python(plan: Plan, dependency: str, versions: SpecifierSet) -> None:
    text = re.sub(r"^.*?python[\s=]*", "", dependency.strip(), count=1)
    if text == _PYTHON_OF_THE_SDK:
        plan.notes.append(
            f"Python {text} is what the SDK writes when no version is chosen: any will do."
        )
        return
    plan.python_text = text
    pins = [clause for clause in versions if clause.operator == "=="]
    if pins:
        # The patch release makes no difference for packages.
        release = pins[0].version.removesuffix(".*").split(".")[:2]
        versions = SpecifierSet(f"=={'.'.join(release)}.*")
    plan.python = versions


def _read_pip(plan: Plan, entry: str) -> None:
    if not entry or entry.startswith("#"):
        return
    if not entry.startswith("-"):
        if entry not in plan.requirements:
            plan.requirements.append(entry)
        return
    option, value = [*re.split(r"[\s=]+", entry, maxsplit=1), ""][:2]
    if option in _FLAGS:
        target = _FLAGS[option]
        if target == "file":
            plan.file_options.append(option)
        elif target is not None:
            plan.arguments.append(target)
    elif option in _FILES and value.startswith("git+"):
        plan.requirements.append(value)
    elif option in _FILES:
        raise EnvironmentBuildError(
            f"'{option} {value}' refers to a file that is not part of the definition. Write its "
            "packages into the list of pip packages, or use Environment.from_pip_requirements."
        )
    elif option == "--trusted-host" and value:
        plan.arguments += ["--allow-insecure-host", value]
    elif option in _FILE_OPTIONS and value:
        if _is_the_index_itself(value):
            return
        plan.file_options.append(f"{_FILE_OPTIONS[option]} {value}")
    else:
        raise EnvironmentBuildError(
            f"The option '{hide_passwords(entry)}' in the list of pip packages is not supported."
        )


def _is_the_index_itself(url: str) -> bool:
    """Whether `url` is the public index under its old name.

    CondaDependencies.create writes it into every definition. It is left out, so that an index of
    the user's own settings is not passed by.
    """
    host = urlsplit(url).hostname or ""
    return host.endswith(".python.org")


def hide_passwords(text: str) -> str:
    """`text` without the user and password that an index URL may carry."""
    return re.sub(r"(?<=://)[^/@\s]+@", "***@", text)
