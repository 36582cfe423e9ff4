"""Installs the packages of a plan into a new environment.

A package that cannot be had in the version that is asked for, for the Python that there is, gives
way to the nearest version that can: code for SDK v1 asks for packages of Python 3.6.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from packaging.utils import canonicalize_name

from local_workspace.engines.environments import mlflow_versions
from local_workspace.engines.environments.installer import Steps
from local_workspace.engines.environments.pins import Pin, nearest, pin_of
from local_workspace.engines.environments.plan import (
    EnvironmentBuildCanceled,
    EnvironmentBuildError,
    Plan,
)
from local_workspace.engines.environments.pythons import Interpreter

# PyYAML 5.4.1, which parts of the SDK need, does not build with Cython 3.
_BUILD_CONSTRAINT = "cython<3\n"
# The wheels that old versions give way to are those of numpy 1, and cannot be imported with 2.
_NUMPY_OF_OLD_WHEELS = "numpy<2"


class Packages:
    """Installs what `plan` asks for into the virtual environment `folder`.

    Attributes:
        said: what was said of the result, for those who wait for the same environment.
        replaced: a sentence for each package whose version is another one than was asked for.
    """

    def __init__(self, folder: Path, plan: Plan, interpreter: Interpreter, steps: Steps) -> None:
        self.said: list[str] = []
        self.replaced: list[str] = []
        self._folder = folder
        self._plan = plan
        self._steps = steps
        self._constraints: list[str] = []
        self._python_name = f"Python {interpreter.version.major}.{interpreter.version.minor}"
        self._python = ("--python", str(folder / "bin" / "python"))

    def install(self, *, is_strict: bool) -> None:
        """Install everything; when not `is_strict`, versions that cannot be had give way.

        Raises EnvironmentBuildError with the installer's words, EnvironmentBuildCanceled.
        """
        requirements = _complete(self._plan)
        if not requirements:
            return
        try:
            self._install(requirements)
        except EnvironmentBuildCanceled:
            raise
        except EnvironmentBuildError:
            if is_strict:
                self._steps.log("No version gives way: the setting strict_environments is on.")
                raise
            instead = self._instead_of(requirements)
            if not instead:
                raise
            self._install_instead(requirements, instead)
        self._tell_mlflow()

    def _install(self, requirements: list[str], overrides: list[str] | None = None) -> None:
        """One try."""
        arguments = ["-r", self._file("requirements", [*self._plan.file_options, *requirements])]
        arguments += ["--build-constraint", self._file("build-constraints", [_BUILD_CONSTRAINT])]
        constraints = list(self._constraints)
        if mlflow_versions.is_kept_below_3(self._plan.requirements):
            constraints += mlflow_versions.CONSTRAINTS
        arguments += ["--constraint", self._file("constraints", constraints)]
        if overrides is not None:
            arguments += ["--override", self._file("overrides", overrides)]
        arguments += self._plan.arguments
        try:
            said = self._steps.uv("pip", "install", *self._python, *arguments, is_logged=True)
        except EnvironmentBuildCanceled:
            raise
        except EnvironmentBuildError as error:
            is_kept = mlflow_versions.is_kept_below_3(self._plan.requirements)
            if is_kept and "mlflow" in str(error).lower():
                self._steps.log(mlflow_versions.REMARK)
            raise
        self.said += said

    # Versions that give way

    def _instead_of(self, requirements: list[str]) -> dict[str, str]:
        """For each requirement that cannot be had, the nearest version of its package that can."""
        found = {}
        for line in requirements:
            pin = pin_of(line)
            if pin is None or self._can_be_had(pin):
                continue
            version = nearest(pin, self._versions)
            if version is not None:
                found[line] = version
        return found

    def _can_be_had(self, pin: Pin) -> bool:
        """Whether there is a wheel for this Python, or what there is builds."""
        if self._versions(pin.line) is not None:
            return True
        self._steps.log(f"{pin.line} has no wheel for {self._python_name}. Does it build?")
        listed = self._file("requirements-of-one", [*self._plan.file_options, pin.line])
        constraints = self._file("build-constraints", [_BUILD_CONSTRAINT])
        tried = self._folder / "tried"
        # What uv has built it keeps, and does not build again.
        built = self._steps.ask(
            *("pip", "install", "--no-deps", "--target", str(tried), *self._python, "-r", listed),
            *("--build-constraint", constraints, *self._plan.arguments),
        )
        shutil.rmtree(tried, ignore_errors=True)
        return built is not None

    def _versions(self, requirement: str, *options: str) -> list[str] | None:
        """The version that has a wheel for this Python, as lines of pip; None for none.

        There is no line when the requirement is not meant for this Python.
        """
        listed = self._file("requirements-of-one", [*self._plan.file_options, requirement])
        return self._steps.ask(
            *("pip", "compile", listed, "--no-deps", "--no-build", "--quiet", "--no-header"),
            *("--no-annotate", *self._python, *options, *self._plan.arguments),
        )

    def _install_instead(self, requirements: list[str], instead: dict[str, str]) -> None:
        """Install with other versions: the nearest ones, and if these do not go together others."""
        pins = {line: pin for line in instead if (pin := pin_of(line)) is not None}
        for line, version in instead.items():
            self._steps.log(
                f"{line} gives way to {pins[line].name} {version}, the nearest version with a "
                f"wheel for {self._python_name}."
            )
        # A definition that names a version of numpy means it.
        if not any(pin.name == "numpy" for pin in map(pin_of, requirements) if pin is not None):
            self._steps.log(f"numpy is kept below 2 for their wheels ({_NUMPY_OF_OLD_WHEELS}).")
            self._constraints = [_NUMPY_OF_OLD_WHEELS]
        exact = [pins[line].at(instead[line]) if line in pins else line for line in requirements]
        open_ = [
            pins[line].beyond(instead[line]) if line in pins else line for line in requirements
        ]
        overrides = [pin.at(instead[line]) for line, pin in pins.items()]
        self._install_one_of((exact, None), (open_, None), (exact, overrides))
        versions = self._installed()
        for line, pin in pins.items():
            used = versions.get(canonicalize_name(pin.name))
            if used is not None:
                self.replaced.append(
                    f"The environment asks for {line}, which cannot be had for "
                    f"{self._python_name} (no wheel, and it does not build): {pin.name} {used} is "
                    "used."
                )
        for sentence in self.replaced:
            self._say(sentence)

    def _install_one_of(self, *tries: tuple[list[str], list[str] | None]) -> None:
        for number, (requirements, overrides) in enumerate(tries, start=1):
            try:
                self._install(requirements, overrides)
                return
            except EnvironmentBuildCanceled:
                raise
            except EnvironmentBuildError:
                if number == len(tries):
                    raise
                self._steps.log("These versions do not go together: others are tried.")

    def _tell_mlflow(self) -> None:
        is_kept = mlflow_versions.is_kept_below_3(self._plan.requirements)
        if is_kept and mlflow_versions.PACKAGES & self._installed().keys():
            self._say(mlflow_versions.REMARK)

    def _installed(self) -> dict[str, str]:
        """The versions of all packages of the environment by their names."""
        listed = self._steps.uv("pip", "list", "--quiet", "--format", "json", *self._python)
        packages = json.loads("".join(listed))
        return {canonicalize_name(one["name"]): one["version"] for one in packages}

    def _say(self, line: str) -> None:
        self.said.append(line)
        self._steps.log(line)

    def _file(self, name: str, lines: list[str]) -> str:
        """Write a file for the installer; its path."""
        path = self._folder / f"{name}.txt"
        # Readable by the owner only: the address of an index may carry a password.
        path.touch(mode=0o600)
        path.write_text("\n".join([*lines, ""]), "utf-8")
        return str(path)


def _complete(plan: Plan) -> list[str]:
    """The requirements, and what the SDK forgets to require."""
    if any(line.lower().startswith("azureml") for line in plan.requirements):
        # azureml-core imports pkg_resources.
        return [*plan.requirements, "setuptools<81"]
    return plan.requirements
