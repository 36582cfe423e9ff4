"""The log of a run within the limit that the workspace sets."""

import dataclasses

import pytest
from execution_helpers import GATE, Lab, text_of, wait_for, wait_until

LOG = "user_logs/std_log.txt"
LINES = 300_000


@pytest.fixture
def lab(local_workspace, tmp_path, monkeypatch):
    """A workspace whose logs may have 1 MiB."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    settings = local_workspace.settings
    dataclasses.replace(settings, job_log_mib=1).save(local_workspace.paths.settings)
    local_workspace.restart()
    yield Lab(local_workspace, tmp_path)
    settings.save(local_workspace.paths.settings)
    local_workspace.restart()


def test_a_run_that_prints_much_shows_the_beginning_and_the_end(lab, tmp_path):
    script = f"{GATE}for number in range({LINES}): print(number)\nwait_for(sys.argv[1])\n"
    runs = [lab.submit(script, str(lab.gate()), target=target) for target in (None, "local")]
    for run in runs:
        wait_until(lambda run=run: LOG in run.get_file_names())
        wait_until(lambda run=run: "what follows is shown" in text_of(run, LOG, tmp_path))
        assert run.get_status() == "Running"
    lab.gate().touch()
    for run in runs:
        assert wait_for(run) == "Completed"
        log = text_of(run, LOG, tmp_path)
        lines = log.splitlines()
        assert lines[:3] == ["0", "1", "2"]
        assert lines[-3:] == [str(number) for number in range(LINES - 3, LINES)]
        (left_out,) = [line for line in lines if "left out" in line]
        assert left_out.endswith("left out (the limit of a log is 1 MiB: setting job_log_mib) ...")
        assert 1024**2 - 200 < len(log) < 1024**2 + 200
