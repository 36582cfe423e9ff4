"""Steps of the jobs engine that go wrong: nothing is dropped, nothing waits for a restart."""

import shutil

from execution_helpers import GATE, error_of, text_of, wait_for, wait_until

from local_workspace.engines.jobs import steps as jobs
from local_workspace.engines.jobs.attempt import News
from local_workspace.engines.nodes import NodeOutcome, ProcessOutcome


def test_a_step_that_fails_twice_is_done_in_the_end(bench, monkeypatch):
    failures = []
    write = jobs.write_specifications

    def fails_twice(*arguments):
        if len(failures) < 2:
            failures.append(1)
            raise RuntimeError("not yet")
        return write(*arguments)

    monkeypatch.setattr(jobs, "write_specifications", fails_twice)
    with bench.server():
        assert bench.ends(bench.submit("twice")) == "Completed"
    assert len(failures) == 2


def test_a_step_that_always_fails_fails_its_run_with_the_reason(bench, monkeypatch):
    def broken(*_arguments):
        raise RuntimeError("broken for good")

    monkeypatch.setattr(jobs, "write_specifications", broken)
    with bench.server():
        run = bench.submit("always")
        assert bench.ends(run) == "Failed"
    assert "broken for good" in bench.run(run).error["error"]["message"]


def test_late_news_of_an_earlier_attempt_does_not_count():
    news = News(attempt=2)
    news.tell(1, 0, NodeOutcome(is_lost=True))
    assert news.so_far() == {}
    good = NodeOutcome([ProcessOutcome(0, "exited", 0)])
    news.tell(2, 0, good)
    assert news.so_far() == {0: good}


def test_a_run_whose_folder_is_deleted_while_the_server_is_off_is_run_again(lab, tmp_path):
    began = str(tmp_path / "began")
    run = lab.submit(
        GATE + "open(sys.argv[1] + os.environ['AZUREML_RUN_ATTEMPT'], 'w').close()\n"
        "wait_for(sys.argv[2])",
        began,
        str(lab.gate()),
    )
    wait_until((tmp_path / "began1").exists)
    lab.server.kill()
    shutil.rmtree(lab.server.paths.runs / run.id)
    lab.gate().touch()
    lab.server.start(lab.server.settings.port)
    assert wait_for(run) == "Completed"
    assert (tmp_path / "began2").exists()
    assert text_of(run, "user_logs/std_log.txt", tmp_path) == (
        "The local workspace was stopped while the run was on it (attempt 1). It is run again.\n"
    )


def test_a_file_of_the_outputs_folder_replaces_one_that_was_uploaded(lab, tmp_path):
    run = lab.submit(
        "from azureml.core import Run\n"
        "open('early.txt', 'w').write('uploaded')\n"
        "Run.get_context().upload_file('outputs/x.txt', 'early.txt')\n"
        "open('outputs/x.txt', 'w').write('of the folder')\n"
    )
    assert wait_for(run) == "Completed"
    assert text_of(run, "outputs/x.txt", tmp_path) == "of the folder"


def test_a_run_whose_environment_cannot_be_had_says_so(lab):
    run = lab.submit("print(1)")
    assert wait_for(run) == "Completed"
    configuration = lab.configuration("print(2)")
    configuration.run_config.environment.python.interpreter_path = "/no/such/python"
    failed = lab.experiment().submit(configuration)
    wait_for(failed, "Failed")
    assert "/no/such/python" in error_of(failed)["message"]
