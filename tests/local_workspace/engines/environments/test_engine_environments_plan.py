"""What a definition asks for, and conda packages as packages of the index."""

import re

import pytest
from azureml.core import Environment
from azureml.core.conda_dependencies import CondaDependencies
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from local_workspace.engines.environments import conda_names
from local_workspace.engines.environments.plan import (
    EnvironmentBuildError,
    hide_passwords,
    read_plan,
)


def plan_of(*dependencies, channels=(), docker=None):
    conda = {"channels": list(channels), "dependencies": list(dependencies)}
    return read_plan({"python": {"condaDependencies": conda}, "docker": docker})


@pytest.mark.parametrize(
    ("conda", "pip"),
    [
        ("numpy", "numpy"),
        ("numpy=1.23", "numpy==1.23.*"),
        ("numpy=1.23.*", "numpy==1.23.*"),
        ("numpy==1.23.5", "numpy==1.23.5"),
        ("numpy=1.23.5=py310h8deb116_0", "numpy==1.23.5.*"),
        ("numpy==1.23.5=py310_0", "numpy==1.23.5"),
        ("numpy 1.23.5 py310_0", "numpy==1.23.5"),
        ("numpy>=1.2,<2", "numpy<2,>=1.2"),
        ("numpy >=1.2.*", "numpy>=1.2"),
        ("numpy!=1.2.*", "numpy!=1.2.*"),
        ("numpy=1.2|1.3", "numpy"),
        ("numpy=*", "numpy"),
        ("conda-forge::numpy=1.23", "numpy==1.23.*"),
        ("numpy[version='>=1.2,<2']", "numpy<2,>=1.2"),
        ("numpy=2.0rc1", "numpy==2.0rc1"),
        ("scikit-learn", "scikit-learn"),
        ("pytorch=1.13", "torch==1.13.*"),
        ("py-xgboost<=0.90", "xgboost<=0.90"),
        ("matplotlib-base", "matplotlib"),
        ("ruamel_yaml", "ruamel.yaml"),
        ("opencv", "opencv-python-headless"),
        ("librosa", "librosa"),
    ],
)
def test_conda_packages(conda, pip):
    (found,) = plan_of(conda).requirements
    assert Requirement(found) == Requirement(pip)


@pytest.mark.parametrize(
    "conda",
    [
        "openmpi",
        "libgcc-ng=9",
        "_libgcc_mutex=0.1=main",
        "_openmp_mutex",
        "ld_impl_linux-64",
        "mkl",
    ],
)
def test_what_only_conda_has_is_left_out(conda):
    plan = plan_of(conda)
    assert plan.requirements == [] and "only conda has it" in plan.notes[0]


@pytest.mark.parametrize("conda", ["cudatoolkit=11.0", "cudnn", "pytorch-cuda=11.7", "nccl"])
def test_cuda_is_left_out(conda):
    plan = plan_of(conda)
    assert plan.requirements == [] and "no CUDA here" in plan.notes[0]


def test_the_data_on_names_is_written_as_it_is_looked_up():
    names = conda_names._names()
    looked_up = [*names["pypi_names"], *names["only_in_conda"], *names["on_pypi"], *names["cuda"]]
    assert [name for name in looked_up if not re.fullmatch("[a-z0-9*-]+", name)] == []
    assert all(Requirement(f"{name}==1.0") for name in names["pypi_names"].values())


@given(st.text())
def test_no_text_is_too_strange(text):
    try:
        package = conda_names.read(text)
    except conda_names.UnreadableDependency:
        return
    requirement, remark = conda_names.requirement(package)
    assert requirement is not None or remark is not None


@pytest.mark.parametrize("wrong", ["", "numpy=>1", "numpy>=", "a b c d", "numpy==one two"])
def test_unreadable_packages(wrong):
    with pytest.raises(EnvironmentBuildError, match="among the conda dependencies"):
        plan_of(wrong)


@pytest.mark.parametrize(
    ("dependency", "fits", "fails"),
    [
        ("python=3.8.12", "3.8.18", "3.9.0"),
        ("python==3.8", "3.8.18", "3.9.0"),
        ("python=3.8.*", "3.8.18", "3.9.0"),
        ("python=3", "3.12.0", "4.0.0"),
        ("python>=3.8,<3.11", "3.10.9", "3.11.0"),
        ("python 3.9", "3.9.1", "3.10.0"),
    ],
)
def test_python_versions(dependency, fits, fails):
    plan = plan_of(dependency)
    assert plan.python.contains(fits) and not plan.python.contains(fails)
    assert plan.requirements == []


def test_pip_options():
    plan = plan_of(
        "pip=20.2",
        {
            "pip": [
                "--extra-index-url https://index.example/simple",
                "-i https://main.example",
                "--find-links=/wheels",
                "--trusted-host index.example",
                "--pre",
                "--prefer-binary",
                "-e git+https://code.example/p.git#egg=p",
                "# remark",
                "pandas==1.5.3",
            ]
        },
    )
    assert plan.file_options == [
        "--extra-index-url https://index.example/simple",
        "--index-url https://main.example",
        "--find-links /wheels",
    ]
    assert plan.arguments == ["--allow-insecure-host", "index.example", "--prerelease=allow"]
    assert plan.requirements == ["git+https://code.example/p.git#egg=p", "pandas==1.5.3"]


@pytest.mark.parametrize("entry", ["-r requirements.txt", "-e .", "--constraint c.txt"])
def test_files_that_are_not_there(entry):
    with pytest.raises(EnvironmentBuildError, match="refers to a file"):
        plan_of({"pip": [entry]})


def test_unknown_options_hide_their_passwords():
    with pytest.raises(EnvironmentBuildError, match="is not supported") as caught:
        plan_of({"pip": ["--what https://me:secret@host"]})
    assert "secret" not in str(caught.value)
    assert hide_passwords("a https://me:secret@host/x b") == "a https://***@host/x b"


def test_the_index_that_the_sdk_writes_is_left_to_the_users_settings():
    environment = Environment("pinned")
    environment.python.conda_dependencies = CondaDependencies.create(pip_packages=["pandas"])
    plan = read_plan(Environment._serialize_to_dict(environment))
    assert plan.requirements == ["pandas"] and plan.file_options == []


def test_images_and_dockerfiles_are_said():
    image = {"baseImage": "registry.example/cuda11.8-ubuntu"}
    notes = plan_of(docker=image).notes
    assert "registry.example/cuda11.8-ubuntu is not used" in notes[0]
    assert "jobs" not in notes[1] and "no CUDA here" in notes[1]
    assert "Dockerfile is not run" in plan_of(docker={"baseDockerfile": "FROM scratch"}).notes[0]
    assert plan_of(docker={"baseImage": None}).notes == []


def test_definitions_without_packages():
    assert "no Python packages" in read_plan({}).notes[0]
    assert read_plan({"python": {"userManagedDependencies": True}}).interpreter == "python"
    with pytest.raises(EnvironmentBuildError, match="from_conda_specification"):
        read_plan({"python": {"condaDependenciesFile": "x.yml"}})
    with pytest.raises(EnvironmentBuildError, match="must be an object"):
        read_plan({"python": {"condaDependencies": ["numpy"]}})
