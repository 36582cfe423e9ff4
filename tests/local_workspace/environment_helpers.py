"""Definitions of environments, and what was built of them."""

from azureml.core import Environment


def builds(slow_uv):
    """How many environments were begun."""
    calls = (slow_uv / "calls").read_text().splitlines()
    return sum(call.startswith("venv ") for call in calls)


def definition_of(*pip_packages, conda_packages=("python=3.10",), **docker):
    """The document of an environment, as the SDK writes it."""
    environment = Environment("test")
    environment.docker.base_image = docker.get("image")
    document = Environment._serialize_to_dict(environment)
    document["python"]["condaDependencies"] = {
        "channels": ["conda-forge"],
        "dependencies": [*conda_packages, {"pip": list(pip_packages)}],
    }
    return document


def from_wheels(wheels, *packages, **options):
    return definition_of("--no-index", f"--find-links {wheels}", *packages, **options)
