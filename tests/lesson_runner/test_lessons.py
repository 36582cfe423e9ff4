"""Running lessons: order, needs, logs, exit codes."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from lesson_runner.command_line import agrees
from lesson_runner.display import Display


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
    assert "`python run.py 01 02`" in printed and "not run" in printed
    assert not (collection.folder / "ran").exists()


def test_what_is_missing_is_named(collection, capsys):
    collection.azure()
    collection.lesson("01", title="Data")
    collection.lesson("04", needs="01")
    assert collection.run("4") == 2
    said = capsys.readouterr().err
    assert "lesson 01 (Data)" in said and "`python run.py --needed 04`" in said
    assert collection.run("--force", "04") == 0
    assert collection.run("01", "04") == 0


def test_what_is_needed_runs_first_when_asked_for_or_agreed_to(collection, capsys, monkeypatch):
    collection.azure()
    collection.lesson("01", "print('data made')")
    collection.lesson("03", needs="01")
    collection.lesson("04", "print('jobs run')", needs="01, 03")
    monkeypatch.setattr("lesson_runner.__main__.agrees", lambda first: len(first) != 2)
    assert collection.run("04") == 2
    assert not (collection.folder / "outputs/lessons.json").exists()
    assert collection.run("--needed", "04") == 0
    printed = capsys.readouterr().out
    assert "jobs run" in printed and "data made" not in printed

    collection.azure(workspace_name="another")
    assert collection.run("03") == 0
    record = json.loads((collection.folder / "outputs/lessons.json").read_text())
    assert record["done"]["s/g/another"] == ["01", "03"]


def test_a_person_is_asked_and_a_pipe_is_not(monkeypatch):
    def terminal(answer, is_one=True):
        monkeypatch.setattr("sys.stdin.isatty", lambda: is_one, raising=False)
        monkeypatch.setattr("sys.stdout.isatty", lambda: is_one, raising=False)
        monkeypatch.setattr("builtins.input", lambda question: answer)
        return agrees([])

    assert terminal("") and terminal("Yes") and not terminal("n")
    assert not terminal("y", is_one=False)


LEFT_OVER = "{'infer_column_types': 'False', 'activity': 'download'}"


def test_one_lesson_is_shown_as_it_runs_and_a_tour_is_not(collection, capsys):
    collection.azure()
    collection.lesson("01", f"print('rows read'); print({LEFT_OVER!r}); print('end', end='')")
    collection.lesson("02", "print('cluster made')")
    assert collection.run("01") == 0
    printed = capsys.readouterr().out
    assert "rows read\nend\n" in printed and "infer_column_types" not in printed
    log = (collection.folder / "outputs/logs/01.log").read_text()
    assert log == f"rows read\n{LEFT_OVER}\nend"
    assert collection.run() == 0
    assert "cluster made" not in capsys.readouterr().out
    assert collection.run("--show") == 0
    printed = capsys.readouterr().out
    assert "rows read" in printed and "cluster made" in printed


def test_output_is_passed_on_before_its_line_has_ended():
    shown = []
    display = Display(shown.append)
    display.feed(b"Waiting.")
    display.feed(b".\n{'infer_col")
    assert "".join(shown) == "Waiting..\n"
    display.feed(b"umn_types': 'False'}\n{'a")
    display.feed(b"': 1}\nM\xc3")
    assert "".join(shown) == "Waiting..\n{'a': 1}\n"
    display.feed(b"\xa9thode")
    display.close()
    assert "".join(shown) == "Waiting..\n{'a': 1}\nMéthode\n"


def test_a_process_that_a_lesson_leaves_behind_is_not_waited_for(collection):
    collection.azure()
    left = "import subprocess; print(subprocess.Popen(['sleep', '600']).pid)"
    collection.lesson("01", left)
    try:
        assert collection.run("01") == 0
    finally:
        os.kill(int((collection.folder / "outputs/logs/01.log").read_text()), signal.SIGKILL)


INTERRUPTED = """
import os, signal
os.kill(os.getppid(), signal.SIGINT)
try:
    signal.pause()
except KeyboardInterrupt:
    print('run ended')
"""


@pytest.mark.parametrize(
    ("jobs", "said"),
    [
        (["a_1", "b_2"], "python run.py cancel a_1 b_2\n"),
        ([], "No job that it submitted goes on"),
        (None, "could not be asked"),
    ],
)
def test_an_interrupted_lesson_ends_and_what_goes_on_is_said(
    collection, capsys, monkeypatch, request, jobs, said
):
    # Of a program that a shell has put into the background it is ignored, and so below it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    collection.azure()
    collection.lesson("01", INTERRUPTED)
    monkeypatch.setattr("lesson_runner.__main__._ask_for_jobs", lambda *_: jobs)
    assert collection.run() == 130
    assert said in capsys.readouterr().out
    assert not (collection.folder / "outputs/lessons.json").exists()


def test_cancel_needs_an_id(collection, capsys):
    assert collection.run("cancel") == 2
    assert "python run.py cancel RUN_ID" in capsys.readouterr().err


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
    with pytest.raises(SystemExit) as ended:
        collection.run("--dance")
    assert ended.value.code == 2


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
    assert data.split()[:3] == ["01", "Data", "nothing"] and float(data.split()[-1]) >= 0
    assert experiment.split() == ["04", "Experiment", "01", "-"]


def test_a_broken_record_is_an_empty_one(collection):
    collection.azure()
    collection.lesson("01")
    (collection.folder / "outputs").mkdir()
    (collection.folder / "outputs/lessons.json").write_text("[1, 2")
    assert collection.run("01") == 0


def test_a_slip_in_one_lesson_does_not_hide_the_others(collection, capsys):
    collection.azure()
    collection.lesson("01", title="Data")
    collection.lesson("02", title="Compute", body="print('never closed'")
    assert collection.run("01") == 0
    assert collection.run("02") == 1
    printed = capsys.readouterr().out
    assert "Compute" in printed and "SyntaxError" in printed


def test_titles_and_needs_come_from_the_docstring_alone(tmp_path):
    from lesson_runner.lessons import find_lessons

    (tmp_path / "01_plain.py").write_text("x = 'Needs: 09'\n")
    (tmp_path / "02_raw.py").write_text('# coding: utf-8\n\nr"""A title.\n\n   Needs: 01\n"""\n')
    (tmp_path / "03_wrong_bytes.py").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "notes.py").write_text('"""Not a lesson."""\n')
    lessons = find_lessons(tmp_path)
    assert [(item.title, item.needs) for item in lessons.values()] == [
        ("01_plain", ()),
        ("A title", ("01",)),
        ("03_wrong_bytes", ()),
    ]


def test_a_lesson_killed_by_a_signal_is_said(collection, capsys):
    collection.azure()
    collection.lesson("01", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert collection.run() == 1
    assert "was ended by signal 9 (SIGKILL)" in capsys.readouterr().out


def test_brackets_in_titles_and_output_are_shown_as_they_are(collection, capsys):
    collection.azure()
    collection.lesson("01", "raise SystemExit('[bold]no markup[/bold]')", title="A [red] title")
    assert collection.run() == 1
    printed = capsys.readouterr().out
    assert "A [red] title" in printed and "[bold]no markup[/bold]" in printed


def test_a_lesson_finds_the_programs_of_its_environment(collection):
    collection.azure()
    collection.lesson("01", "import os; print(os.environ['PATH'].split(':')[0])")
    assert collection.run() == 0
    log = (collection.folder / "outputs/logs/01.log").read_text()
    assert log.strip() == str(Path(sys.executable).parent)
