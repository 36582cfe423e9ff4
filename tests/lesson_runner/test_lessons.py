"""Running lessons: order, needs, logs, exit codes."""

import json


def test_lessons_run_in_order_and_are_recorded(collection, capsys):
    collection.azure()
    collection.lesson("02", "import os; print('second', os.environ['COLOUR'])", needs="01")
    collection.lesson("01", "print('first')", title="Data: where it lives")
    assert collection.run() == 0
    printed = capsys.readouterr().out
    assert printed.index("Data: where it lives") < printed.index("A title")
    assert (collection.folder / "outputs/logs/02.log").read_text() == "second blue\n"
    record = json.loads((collection.folder / "outputs/lessons.json").read_text())
    assert record["done"] == {"s/g/w": ["01", "02"]} and set(record["seconds"]) == {"01", "02"}


def test_a_failed_lesson_stops_the_rest_and_shows_its_end(collection, capsys):
    collection.azure()
    collection.lesson("01", "print('before'); raise SystemExit('the cluster is gone')")
    collection.lesson("02", "open('ran', 'w')", needs="01")
    assert collection.run() == 1
    printed = capsys.readouterr().out
    assert "the cluster is gone" in printed and "failed" in printed
    assert "python run.py 01" in printed
    assert not (collection.folder / "ran").exists()


def test_what_is_missing_is_named(collection, capsys):
    collection.azure()
    collection.lesson("01", title="Data")
    collection.lesson("04", needs="01")
    assert collection.run("4") == 2
    said = capsys.readouterr().err
    assert "lesson 01 (Data)" in said and "python run.py 01 04" in said
    assert collection.run("--force", "04") == 0
    assert collection.run("01", "04") == 0


def test_what_ran_in_another_workspace_does_not_count(collection):
    collection.azure()
    collection.lesson("01")
    collection.lesson("04", needs="01")
    assert collection.run("01") == 0 and collection.run("04") == 0
    collection.azure(workspace_name="another")
    assert collection.run("04") == 2


def test_unknown_numbers_and_options_are_wrong_use(collection, capsys):
    collection.azure()
    collection.lesson("01")
    assert collection.run("77") == 2
    assert "There is no lesson 77. There are: 01." in capsys.readouterr().err
    try:
        collection.run("--dance")
    except SystemExit as exit_:
        assert exit_.code == 2


def test_list_shows_needs_and_seconds(collection, capsys):
    collection.azure()
    collection.lesson("01", title="Data")
    collection.lesson("04", needs="01", title="Experiment")
    collection.run("01")
    capsys.readouterr()
    assert collection.run("--list") == 0
    rows = capsys.readouterr().out.splitlines()
    data = next(row for row in rows if "Data" in row)
    experiment = next(row for row in rows if "Experiment" in row)
    assert "nothing" in data and "." in data.split()[-2]
    assert "01" in experiment and "-" in experiment


def test_a_broken_record_is_an_empty_one(collection):
    collection.azure()
    collection.lesson("01")
    (collection.folder / "outputs").mkdir()
    (collection.folder / "outputs/lessons.json").write_text("[1, 2")
    assert collection.run("01") == 0
