"""Make diabetes.csv (10,000 patients) and diabetes2.csv (5,000 patients): synthetic data.

    python data/make_diabetes.py           write both files beside this script
    python data/make_diabetes.py --check   write nothing; exit code 1 if a file is not as made here

No row describes a real person, and no statistic was taken from records of real people: every
number is drawn from the distributions below, with a fixed seed, so the files are the same on
every run. The invented patients are women of 21 years and older. The relations between the
columns are plausible; they are not medical knowledge.

    Column                  Unit      Distribution
    PatientID               -         7 digits, unique; even in diabetes.csv, odd in diabetes2.csv
    Pregnancies             count     0-14; Poisson, its mean grows with age and then levels off
    PlasmaGlucose           mg/dl     44-192; normal, two hours after sugar; rises with load, age
    DiastolicBloodPressure  mm Hg     24-117; normal; rises with age and with weight
    TricepsThickness        mm        7-93; skin fold on the upper arm; lognormal; follows the BMI
    SerumInsulin            mu U/ml   14-799; lognormal; follows glucose and BMI
    BMI                     kg/m^2    18-56; lognormal around 30
    DiabetesPedigree        -         0.078-2.301; lognormal; how far the disease runs in the family
    Age                     years     21-77; exponential from 21 on, so most are young; 15 % over 50
    Diabetic                0 or 1    1 for a third; drawn with the probability of `risk`

A hidden "metabolic load" of each patient, which is in no column, ties glucose, insulin and BMI
together. `risk` has a part that a straight line can follow (age, BMI, pregnancies, glucose) and a
part that it cannot: insulin is bad when it is low or high, some effects begin at a threshold, some
need two causes at once. So a logistic regression finds a signal (AUC 0.80-0.88) and boosted trees
find much more (AUC 0.93-0.99). Age counts so much that a plain model chooses patients over 50 far
more often than younger ones, and finds more of their cases: the subject of lesson 13.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]

FOLDER = Path(__file__).resolve().parent
SEED = 20240131
FILES = {"diabetes.csv": 10_000, "diabetes2.csv": 5_000}
FORMATS = {
    "PatientID": "%d",
    "Pregnancies": "%d",
    "PlasmaGlucose": "%d",
    "DiastolicBloodPressure": "%d",
    "TricepsThickness": "%d",
    "SerumInsulin": "%d",
    "BMI": "%.2f",
    "DiabetesPedigree": "%.3f",
    "Age": "%d",
    "Diabetic": "%d",
}


def main(arguments: list[str]) -> int:
    """Write the files, or compare them with `--check`; returns the exit code."""
    if arguments not in ([], ["--check"]):
        print("Use: python data/make_diabetes.py [--check]", file=sys.stderr)
        return 2
    different = []
    for index, name in enumerate(FILES):
        content = csv_bytes(index)
        path = FOLDER / name
        if not arguments:
            path.write_bytes(content)
            print(f"{name}: {FILES[name]} rows, {len(content)} bytes")
        elif not path.is_file() or path.read_bytes() != content:
            different.append(name)
    for name in different:
        print(f"{name} is not what this script makes.", file=sys.stderr)
    return 1 if different else 0


def csv_bytes(index: int) -> bytes:
    """The file number `index` of FILES, as it lies on disk: header, rows, newlines as `\\n`."""
    rows = list(FILES.values())[index]
    table = patients(np.random.Generator(np.random.PCG64(SEED + index)), rows, index)
    columns = [[FORMATS[name] % value for value in table[name]] for name in FORMATS]
    lines = [",".join(FORMATS), *(",".join(row) for row in zip(*columns, strict=True))]
    return ("\n".join(lines) + "\n").encode("ascii")


def patients(rng: np.random.Generator, rows: int, parity: int) -> dict[str, Column]:
    """Columns of `rows` patients, rounded as they are written; ids are even or odd by `parity`."""
    patient_id = 1_000_000 + 2.0 * rng.choice(4_500_000, size=rows, replace=False) + parity
    load, noise = rng.standard_normal(rows), rng.standard_normal((6, rows))

    # The inverse of the exponential distribution's cumulative function, cut at 77 years.
    scale, span = 18.0, 57.0
    share = rng.random(rows) * (1 - np.exp(-span / scale))
    age = np.floor(21 - scale * np.log1p(-share))

    pregnancies = whole(rng.poisson(0.6 + 4.2 * (1 - np.exp(-(age - 18) / 16))), 0, 14)
    bmi = clipped(np.exp(np.log(30.0) + 0.09 * load + 0.20 * noise[0]), 18, 56, decimals=2)
    glucose = whole(108 + 12 * load + 0.25 * (age - 33) + 25 * noise[1], 44, 192)
    pressure = whole(70 + 0.22 * (age - 33) + 0.45 * (bmi - 30) + 14 * noise[2], 24, 117)
    triceps = whole(np.exp(np.log(27.0) + 0.030 * (bmi - 30) + 0.38 * noise[3]), 7, 93)
    insulin = np.log(105.0) + 0.010 * (glucose - 108) + 0.015 * (bmi - 30) + 0.68 * noise[4]
    insulin = whole(np.exp(insulin), 14, 799)
    pedigree = clipped(np.exp(np.log(0.36) + 0.62 * noise[5]), 0.078, 2.301, decimals=3)

    table = {
        "PatientID": patient_id,
        "Pregnancies": pregnancies,
        "PlasmaGlucose": glucose,
        "DiastolicBloodPressure": pressure,
        "TricepsThickness": triceps,
        "SerumInsulin": insulin,
        "BMI": bmi,
        "DiabetesPedigree": pedigree,
        "Age": age,
    }
    table["Diabetic"] = (rng.random(rows) < risk(table)).astype(np.float64)
    return table


def risk(table: dict[str, Column]) -> Column:
    """Probability (0-1) that each patient is diabetic: a logistic function of a sum of effects."""
    age, bmi = table["Age"], table["BMI"]
    glucose, insulin = table["PlasmaGlucose"], table["SerumInsulin"]
    pedigree, pressure = table["DiabetesPedigree"], table["DiastolicBloodPressure"]

    straight = (
        0.060 * (age - 33)
        + 0.070 * (bmi - 30)
        + 0.30 * (table["Pregnancies"] - 3)
        + 0.010 * (glucose - 108)
        + 0.010 * (table["TricepsThickness"] - 28)
    )
    # Too little insulin (the pancreas gives up) and too much (the body resists) are both bad.
    insulin_extreme = np.abs(np.log(insulin / 105.0)) > 0.70
    bent = (
        3.5 * insulin_extreme
        + 1.5 * (glucose > 126)
        + 2.5 * ((bmi > 30) & (pedigree > 0.40))
        + 1.5 * ((age > 40) & (pressure > 75))
    )
    return 1 / (1 + np.exp(-1.6 * (straight + bent - 3.8)))


def whole(values: Column, low: float, high: float) -> Column:
    """`values` rounded to whole numbers within [low, high]."""
    return clipped(values, low, high, decimals=0)


def clipped(values: Column, low: float, high: float, decimals: int) -> Column:
    """`values` within [low, high], rounded to as many decimals as the file holds."""
    return np.round(np.clip(values, low, high), decimals)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
