"""Versions that cannot be had give way to the nearest ones, and MLflow is kept below 3."""

import subprocess

import pytest
from environment_helpers import from_wheels
from packaging.version import Version
from tiny_wheels import PYTHON_36, make_source, make_wheel

from local_workspace.engines.environments.builder import EnvironmentBuilder, EnvironmentBuildError
from local_workspace.engines.environments.mlflow_versions import REMARK, is_kept_below_3
from local_workspace.engines.environments.pins import nearest, pin_of
from local_workspace.engines.environments.plan import read_plan


class Place:
    """Builds environments from the wheels of a folder."""

    def __init__(self, folder):
        self.wheels = folder / "wheels"
        self.said = []
        self.choice = None
        self._root = folder / "environments"

    def build(self, *packages, is_strict=False):
        """Build an environment; the versions of the modules named in it."""
        builder = EnvironmentBuilder(self._root, is_strict=is_strict)
        plan = read_plan(from_wheels(self.wheels, *packages))
        self.choice = builder.choose(plan, self.said.append)
        builder.build(self.choice, self.said.append)

    def version_of(self, module):
        code = f"import {module}; print({module}.version)"
        command = [self.choice.python, "-c", code]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def says(self, words):
        return any(words in line for line in self.said)


@pytest.fixture
def place(tmp_path):
    """Old is at 1.0 for Python 3.6 only, and at 2.0 and 3.0 for every Python."""
    place = Place(tmp_path)
    make_wheel(place.wheels, "old", "1.0", tag=PYTHON_36)
    for version in ("2.0", "3.0"):
        make_wheel(place.wheels, "old", version)
    make_wheel(place.wheels, "fine", "1.0")
    return place


def test_a_pin_without_a_wheel_gives_way_to_the_nearest_version_that_has_one(place):
    place.build("old==1.0", "fine==1.0")
    assert (place.version_of("old"), place.version_of("fine")) == ("2.0", "1.0")
    (sentence,) = place.choice.replaced()
    assert sentence.startswith("The environment asks for old==1.0, which cannot be had for Python ")
    assert sentence.endswith(": old 2.0 is used.")
    assert sentence in place.said
    # Who comes later, in this process or another, hears it as well.
    place.said.clear()
    place.build("old==1.0", "fine==1.0")
    assert place.says(sentence)


def test_a_source_that_does_not_build_gives_way_and_one_that_builds_stays(place):
    make_source(place.wheels, "broken", "1.0", builds=False)
    make_wheel(place.wheels, "broken", "1.2")
    make_source(place.wheels, "source", "1.0", builds=True)
    make_wheel(place.wheels, "source", "1.2")
    place.build("broken==1.0", "source==1.0")
    assert (place.version_of("broken"), place.version_of("source")) == ("1.2", "1.0")
    (sentence,) = place.choice.replaced()
    assert "broken 1.2 is used" in sentence


def test_in_the_strict_setting_nothing_gives_way(place):
    place.build("old==1.0")
    with pytest.raises(EnvironmentBuildError, match=r"old==1\.0"):
        place.build("old==1.0", is_strict=True)
    assert place.says("the setting strict_environments is on")


def test_a_package_in_no_version_fails_with_the_installers_words(place):
    with pytest.raises(EnvironmentBuildError, match="nowhere was not found"):
        place.build("nowhere==1.0")
    make_wheel(place.wheels, "elsewhere", "1.0", tag=PYTHON_36)
    with pytest.raises(EnvironmentBuildError, match="elsewhere"):
        place.build("elsewhere==1.0")
    with pytest.raises(EnvironmentBuildError, match="nowhere was not found"):
        place.build("old==1.0", "nowhere==1.0")


@pytest.mark.parametrize(("needs", "used"), [("old>=3", "3.0"), ("old<2", "2.0")])
def test_other_packages_have_their_say_as_far_as_they_can(place, needs, used):
    make_wheel(place.wheels, "friend", "1.0", requires=[needs])
    place.build("old==1.0", "friend==1.0")
    assert place.version_of("old") == used
    assert place.choice.replaced()[0].endswith(f"old {used} is used.")


@pytest.mark.parametrize(
    ("asked", "used"), [((), "1.26.4"), (("numpy>=2",), "2.2.6"), (("numpy>=1.20",), "2.2.6")]
)
def test_what_gives_way_gets_the_numpy_that_its_wheels_were_built_with(place, asked, used):
    for version in ("1.26.4", "2.2.6"):
        make_wheel(place.wheels, "numpy", version)
    make_wheel(place.wheels, "old", "2.0", requires=["numpy"])
    place.build("old==1.0", *asked)
    assert place.version_of("numpy") == used


@pytest.mark.parametrize(
    ("line", "goal"),
    [
        ("a==1.2", "1.2"),
        ("a==1.2.*", "1.2"),
        ("a~=1.2", "1.2"),
        ("a>=1,<2", "2"),
        ("a>=3", "3"),
        ("a!=3", None),
        ("a", None),
        ("a @ https://example.com/a.whl", None),
        ("not a requirement", None),
    ],
)
def test_what_a_pin_means(line, goal):
    pin = pin_of(line)
    assert (pin and pin.goal) == (goal and Version(goal))


@pytest.mark.parametrize(
    ("above", "below", "chosen"),
    [
        ("2.0", "1.4.9", "1.4.9"),
        ("1.5.1", "1.4.9", "1.5.1"),
        ("1.6", "1.4", "1.6"),
        ("2.0", None, "2.0"),
        (None, "0.1", "0.1"),
        (None, None, None),
    ],
)
def test_the_nearest_version(above, below, chosen):
    def find(requirement, *_options):
        version = above if ">=" in requirement else below
        return version and [f"a=={version}"]

    assert nearest(pin_of("a==1.5.0"), find) == chosen


def test_a_pin_keeps_its_extras_and_its_marker():
    pin = pin_of("a[x,y]==1.0 ; python_version > '3'")
    assert pin.at("2.0") == 'a[x,y]==2.0; python_version > "3"'
    assert pin.beyond("2.0") == 'a[x,y]>=2.0; python_version > "3"'
    assert pin.beyond("0.5").startswith("a[x,y]<=0.5;")


# MLflow


@pytest.fixture
def mlflow_place(place):
    """What needs MLflow, of which there are two versions."""
    for version in ("2.22.0", "3.1.0"):
        make_wheel(place.wheels, "mlflow_skinny", version)
        make_wheel(place.wheels, "mlflow", version, requires=["mlflow-skinny"])
    make_wheel(place.wheels, "user_of_mlflow", "1.0", requires=["mlflow-skinny"])
    return place


def test_mlflow_is_kept_below_3_and_the_log_says_so(mlflow_place):
    mlflow_place.build("user-of-mlflow")
    assert mlflow_place.version_of("mlflow_skinny") == "2.22.0"
    assert mlflow_place.says(REMARK)


def test_who_asks_for_mlflow_3_gets_it(mlflow_place):
    mlflow_place.build("user-of-mlflow", "mlflow>=3")
    assert mlflow_place.version_of("mlflow_skinny") == "3.1.0"
    assert not mlflow_place.says(REMARK)


def test_nothing_is_said_of_mlflow_where_there_is_none(mlflow_place):
    mlflow_place.build("fine")
    assert not mlflow_place.says(REMARK)


def test_a_package_that_needs_mlflow_3_fails_and_the_log_says_why(mlflow_place):
    make_wheel(mlflow_place.wheels, "modern", "1.0", requires=["mlflow>=3"])
    with pytest.raises(EnvironmentBuildError, match="mlflow"):
        mlflow_place.build("modern")
    assert mlflow_place.says(REMARK)


@pytest.mark.parametrize(
    ("line", "is_kept"),
    [
        ("mlflow", True),
        ("mlflow>=2.9", True),
        ("mlflow<4", True),
        ("mlflow==2.*", True),
        ("numpy>=3", True),
        ("not a requirement", True),
        ("mlflow==3.*", False),
        ("MLflow_skinny~=3.1", False),
        ("mlflow>=3.0rc1", False),
        ("mlflow @ git+https://example.com/mlflow", False),
    ],
)
def test_who_asks_for_mlflow_3(line, is_kept):
    assert is_kept_below_3([line]) == is_kept
