"""`lesson_runner.jobs`: which submitted jobs go on after Ctrl+C, and cancelling them."""

from datetime import datetime, timedelta, timezone

from execution_helpers import GATE, wait_for

from lesson_runner.jobs import cancel, going_on


def test_submitted_jobs_that_go_on_are_listed_and_cancelled(lab, capsys):
    begun = datetime.now(timezone.utc) - timedelta(seconds=5)
    experiment = lab.experiment()
    by_hand = experiment.start_logging(outputs=None, snapshot_directory=None)
    job = lab.submit(GATE + f"wait_for({str(lab.folder / 'never')!r})")
    wait_for(job, "Running")
    found = [run.id for run in going_on(lab.ws, begun)]
    assert job.id in found and by_hand.id not in found
    assert going_on(lab.ws, datetime.now(timezone.utc) + timedelta(hours=1)) == []

    assert cancel(lab.ws, [job.id, "no-such-run"]) == 1
    said = capsys.readouterr()
    assert f"{job.id} is being cancelled" in said.out and "no-such-run cannot" in said.err
    wait_for(job, "Canceled")
    assert cancel(lab.ws, [job.id]) == 0 and "has ended already" in capsys.readouterr().out
    assert job.id not in [run.id for run in going_on(lab.ws, begun)]
    by_hand.complete()
