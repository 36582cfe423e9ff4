"""Searching runs through MLflow's client: every way to a page gives the same runs."""

import base64
import json
import math

import pytest
from mlflow.entities import ViewType
from mlflow.exceptions import MlflowException

STARTS = [1_700_000_000_000 + 60_000 * minute for minute in (5, 1, 3, 3, 2, 9, 7)]


@pytest.fixture(scope="module")
def experiment_id(client):
    """An experiment of seven runs, two of which began at the same time, and a deleted one."""
    made = client.create_experiment("to-be-searched")
    for number, start in enumerate(STARTS):
        run = client.create_run(made, start_time=start, run_name=f"run {number}")
        run_id = run.info.run_id
        client.log_param(run_id, "number", number)
        client.log_metric(run_id, "score", math.nan if number == 6 else number % 3)
        client.set_tag(run_id, "parity", "even" if number % 2 == 0 else "odd")
        client.set_terminated(run_id, "FAILED" if number == 1 else "FINISHED")
    client.delete_run(client.create_run(made, start_time=STARTS[0]).info.run_id)
    return made


def numbers(runs):
    return [int(run.data.params["number"]) for run in runs]


def all_pages(client, experiment_id, size, **options):
    runs, token = [], None
    while True:
        page = client.search_runs([experiment_id], max_results=size, page_token=token, **options)
        assert len(page) <= size
        runs += page
        token = page.token
        if not token:
            return runs


def natural(client, experiment_id):
    """The runs in MLflow's order: the newest first, then by id."""
    runs = client.search_runs([experiment_id])
    return sorted(runs, key=lambda run: (-run.info.start_time, run.info.run_id))


def test_the_newest_run_is_first(client, experiment_id):
    runs = client.search_runs([experiment_id])
    assert len(runs) == 7
    assert [run.info.start_time for run in runs] == sorted(STARTS, reverse=True)
    assert [run.info.run_id for run in runs] == [
        run.info.run_id for run in natural(client, experiment_id)
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"order_by": ["attributes.start_time DESC"]},
        {"order_by": ["start_time ASC"]},
        {"order_by": ["metrics.score DESC", "start_time"]},
        {"filter_string": "attributes.start_time > 0"},
    ],
)
def test_pages_are_the_whole_cut_in_pieces(client, experiment_id, size, options):
    whole = client.search_runs([experiment_id], **options)
    pages = all_pages(client, experiment_id, size, **options)
    assert [run.info.run_id for run in pages] == [run.info.run_id for run in whole]


def test_a_page_of_the_database_and_one_that_was_filtered_are_alike(client, experiment_id):
    for order in ([], ["start_time ASC"], ["start_time DESC"]):
        plain = client.search_runs([experiment_id], order_by=order)
        filtered = client.search_runs([experiment_id], "attributes.start_time > 0", order_by=order)
        # As text, because NaN does not equal itself.
        assert [str(run.to_dictionary()) for run in plain] == [
            str(run.to_dictionary()) for run in filtered
        ]


@pytest.mark.parametrize(
    ("filter_string", "expected"),
    [
        ("params.number = '3'", {3}),
        ("metrics.score >= 2", {2, 5}),
        ("metrics.score < 1 and tags.parity = 'odd'", {3}),
        ("tags.parity LIKE 'ev%'", {0, 2, 4, 6}),
        ("attributes.status = 'FAILED'", {1}),
        ("attributes.run_name ILIKE 'RUN 4'", {4}),
        ("attributes.run_name LIKE 'RUN 4'", set()),
        ("attributes.run_name LIKE '%4'", {4}),
        ("attributes.run_name LIKE 'r_n _'", set(range(7))),
        ("attributes.run_name LIKE '.*'", set()),
        ("tags.parity ILIKE '%V%N%'", {0, 2, 4, 6}),
        ("tags.parity LIKE '%'", set(range(7))),
        (f"attributes.start_time > {STARTS[0]}", {5, 6}),
        ("params.nothing = 'x'", set()),
    ],
)
def test_filters(client, experiment_id, filter_string, expected):
    assert set(numbers(client.search_runs([experiment_id], filter_string))) == expected


# MLflow's own matching would go on for hours, and hold the whole server.
@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["LIKE", "ILIKE"])
def test_a_pattern_with_many_wildcards_takes_no_time(client, experiment_id, kind):
    [newest] = client.search_runs([experiment_id], max_results=1)
    client.set_tag(newest.info.run_id, "letters", "a" * 40)
    client.set_experiment_tag(experiment_id, "letters", "a" * 40)
    client.log_text(newest.info.run_id, "a model", f"{kind}/model.txt")
    client.create_registered_model(f"letters-{kind}", tags={"letters": "a" * 40})
    client.create_model_version(
        f"letters-{kind}", f"{newest.info.artifact_uri}/{kind}", tags={"letters": "a" * 40}
    )
    matches, fails = (f"tags.letters {kind} '{'%a' * 30}{end}'" for end in ("%", "b%"))
    for search, found in (
        (lambda text: client.search_runs([experiment_id], text), 1),
        (lambda text: client.search_experiments(filter_string=text), 1),
        (lambda text: client.search_registered_models(f"{text} and name = 'letters-{kind}'"), 1),
        (lambda text: client.search_model_versions(f"{text} and name = 'letters-{kind}'"), 1),
    ):
        assert len(search(matches)) == found
        assert len(search(fails)) == 0
    client.delete_tag(newest.info.run_id, "letters")


def test_orders_put_what_is_no_number_last(client, experiment_id):
    by_score = numbers(client.search_runs([experiment_id], order_by=["metrics.score DESC"]))
    assert by_score[-1] == 6 and set(by_score[:2]) == {2, 5}
    by_score = numbers(client.search_runs([experiment_id], order_by=["metrics.score ASC"]))
    assert by_score[-1] == 6 and set(by_score[:2]) == {0, 3}
    by_name = client.search_runs([experiment_id], order_by=["attributes.run_name"])
    assert numbers(by_name) == list(range(7))


def test_deleted_runs_are_a_view_of_their_own(client, experiment_id):
    def count(view):
        return len(client.search_runs([experiment_id], run_view_type=view))

    assert [count(view) for view in (1, 2, 3)] == [7, 1, 8]
    assert (ViewType.ACTIVE_ONLY, ViewType.DELETED_ONLY, ViewType.ALL) == (1, 2, 3)


@pytest.mark.parametrize(
    "options",
    [
        {"filter_string": "metrics.score >"},
        {"filter_string": "attributes.colour = 'red'"},
        {"filter_string": "metrics.score = 'two'"},
        {"filter_string": "metrics.score LIKE 5"},
        {"filter_string": "attributes.start_time LIKE 5"},
        {"filter_string": f"tags.parity LIKE '{'%a' * 1000}'"},
        {"filter_string": f"tags.parity = '{'a' * 100_000}'"},
        {"order_by": ["metrics.score SIDEWAYS"]},
        {"max_results": 1_000_000},
        {"page_token": "this is none"},
        {"page_token": base64.b64encode(b"[5]").decode(), "order_by": ["metrics.score"]},
        {"page_token": base64.b64encode(b"\xff").decode(), "order_by": ["metrics.score"]},
        {"page_token": base64.b64encode(json.dumps({"offset": -5}).encode()).decode()},
        {"page_token": base64.b64encode(json.dumps({"offset": 10**30}).encode()).decode()},
    ],
)
def test_what_makes_no_sense_is_refused_at_once(client, experiment_id, options):
    with pytest.raises(MlflowException) as caught:
        client.search_runs([experiment_id], **options)
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"


def test_an_experiment_that_is_not_there(client):
    with pytest.raises(MlflowException) as caught:
        client.search_runs(["no-such-experiment"])
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"
