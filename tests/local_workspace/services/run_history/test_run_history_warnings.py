"""Warnings of a run: each once, written together, and not without end."""

from sqlalchemy import event

from local_workspace.services import run_history
from local_workspace.services.run_history.records import MAX_WARNINGS

RUN = "warnings_1_00000000"


def test_many_warnings_are_one_change_and_have_a_limit(workspace):
    with workspace.database.write() as session:
        run_history.upsert_run(session, "warnings", RUN)
    statements = []
    event.listen(
        workspace.database.engine,
        "before_cursor_execute",
        lambda _c, _cursor, statement, *_: statements.append(statement),
    )
    for start in (0, 1500):
        with workspace.database.write() as session:
            messages = [f"metric {number} is refused" for number in range(start, start + 1500)]
            run_history.add_warnings(session, RUN, "Metrics", messages)
    changes = [statement for statement in statements if statement.startswith("UPDATE runs")]
    assert len(changes) == 1
    with workspace.database.read() as session:
        warnings = run_history.get_run(session, RUN).warnings
    assert len(warnings) == MAX_WARNINGS
    assert warnings[0] == {"source": "Metrics", "message": "metric 0 is refused"}
    assert "more warnings" in warnings[-1]["message"]


def test_a_warning_is_kept_once(workspace):
    with workspace.database.write() as session:
        run_history.upsert_run(session, "warnings", RUN)
        run_history.add_warning(session, RUN, "Outputs", "twice")
        row = run_history.add_warnings(session, RUN, "Outputs", ["twice", "twice", "once"])
    assert [one["message"] for one in row.warnings] == ["twice", "once"]
