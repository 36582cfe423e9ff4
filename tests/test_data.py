"""The files in data/ are what the script makes, and fit for the lessons."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FOLDER = Path(__file__).resolve().parent.parent / "data"
RANGES = {
    "PatientID": (1_000_000, 9_999_999),
    "Pregnancies": (0, 14),
    "PlasmaGlucose": (44, 192),
    "DiastolicBloodPressure": (24, 117),
    "TricepsThickness": (7, 93),
    "SerumInsulin": (14, 799),
    "BMI": (18, 56),
    "DiabetesPedigree": (0.078, 2.301),
    "Age": (21, 77),
    "Diabetic": (0, 1),
}
ROWS = {"diabetes.csv": 10_000, "diabetes2.csv": 5_000}


def load_script(path):
    spec = importlib.util.spec_from_file_location("make_diabetes", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=list(ROWS))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def table(name):
    return pd.read_csv(FOLDER / name)


@pytest.fixture(scope="module")
def split(table):
    features = table.drop(columns=["PatientID", "Diabetic"])
    return train_test_split(features, table["Diabetic"], test_size=0.3, random_state=0)


@pytest.fixture(scope="module")
def logistic(split):
    train, _, train_labels, _ = split
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(train, train_labels)


def test_files_are_what_the_script_makes(name):
    script = load_script(FOLDER / "make_diabetes.py")
    assert script.csv_bytes(list(ROWS).index(name)) == (FOLDER / name).read_bytes()


def run_script(folder, *arguments):
    return subprocess.run(
        [sys.executable, folder / "make_diabetes.py", *arguments], capture_output=True, text=True
    )


def test_script_writes_and_checks_its_files(tmp_path):
    (tmp_path / "make_diabetes.py").write_bytes((FOLDER / "make_diabetes.py").read_bytes())
    missing = run_script(tmp_path, "--check")
    assert missing.returncode == 1
    assert "diabetes.csv is not what this script makes" in missing.stderr
    assert run_script(tmp_path).returncode == 0
    assert run_script(tmp_path, "--check").returncode == 0
    for name in ROWS:
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes()

    changed = tmp_path / "diabetes2.csv"
    changed.write_bytes(changed.read_bytes().replace(b"\n", b"\r\n"))
    checked = run_script(tmp_path, "--check")
    assert checked.returncode == 1
    assert checked.stderr == "diabetes2.csv is not what this script makes.\n"
    assert run_script(tmp_path, "--chekc").returncode == 2


def test_columns_and_ranges(name, table):
    assert len(table) == ROWS[name]
    assert list(table.columns) == list(RANGES)
    for column, (low, high) in RANGES.items():
        assert table[column].between(low, high).all(), column
        whole = column not in ("BMI", "DiabetesPedigree")
        assert np.issubdtype(table[column].dtype, np.integer) is whole, column
    assert set(table["Diabetic"]) == {0, 1}


def test_every_patient_has_an_id_of_their_own():
    ids = pd.concat([pd.read_csv(FOLDER / name)["PatientID"] for name in ROWS])
    assert ids.is_unique


def test_a_third_is_diabetic(table):
    assert 0.31 < table["Diabetic"].mean() < 0.36


def test_columns_hang_together_as_in_life(table):
    correlation = table.corr()
    assert correlation.loc["BMI", "TricepsThickness"] > 0.3
    assert correlation.loc["Age", "Pregnancies"] > 0.3
    assert correlation.loc["PlasmaGlucose", "SerumInsulin"] > 0.2
    assert table["Age"].median() < table["Age"].mean() < 40, "most patients are young"


def test_logistic_regression_finds_a_signal(split, logistic):
    _, test, _, labels = split
    assert 0.80 <= roc_auc_score(labels, logistic.predict_proba(test)[:, 1]) <= 0.88


def test_boosted_trees_find_what_a_straight_line_cannot(split):
    train, test, train_labels, labels = split
    model = GradientBoostingClassifier(random_state=0).fit(train, train_labels)
    assert 0.93 <= roc_auc_score(labels, model.predict_proba(test)[:, 1]) <= 0.99


def test_a_plain_model_treats_age_groups_differently(split, logistic):
    _, test, _, labels = split
    chosen, over_50 = logistic.predict(test), test["Age"] > 50
    assert 0.10 < over_50.mean() < 0.30
    assert chosen[over_50].mean() - chosen[~over_50].mean() > 0.3
    recall = [recall_score(labels[group], chosen[group]) for group in (over_50, ~over_50)]
    assert recall[0] - recall[1] > 0.2


def test_both_files_come_from_one_population():
    first, second = (pd.read_csv(FOLDER / name).drop(columns="PatientID") for name in ROWS)
    error = np.sqrt(first.var() / len(first) + second.var() / len(second))
    assert ((first.mean() - second.mean()).abs() < 4 * error).all()
