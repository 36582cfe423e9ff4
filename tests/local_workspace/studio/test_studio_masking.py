"""Secrets that runs carry are not on their pages."""

import re

import pytest
from azureml.core import Experiment
from execution_helpers import own_environment
from studio_browser import text

from local_workspace.studio.masking import NOT_SHOWN, is_secret_name, without_secrets

HUSH = "hush-4711"


SECRET_NAMES = (
    "api_key API-KEY apiKey apikey hf_token accessToken AZURE_CLIENT_SECRET password db.pwd "
    "sasToken sig AccountKey connectionString keys"
)


@pytest.mark.parametrize("name", re.split(" ", SECRET_NAMES))
def test_names_of_secrets(name):
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["monkey", "keyboard", "tokenizer", "max_tokens", "sigma", "design", "rate", "passes"]
)
def test_names_of_other_things(name):
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (["--api-key", "x", "--rate", "1"], ["--api-key", NOT_SHOWN, "--rate", "1"]),
        (["--token=x", "y"], [f"--token={NOT_SHOWN}", "y"]),
        (["--use-token", "--rate", "1"], ["--use-token", "--rate", "1"]),
        ("python a.py  --secret x --n 1", f"python a.py  --secret {NOT_SHOWN} --n 1"),
        ("API_KEY=x python a.py", f"API_KEY={NOT_SHOWN} python a.py"),
        (
            "https://a/b?sv=1&sig=abc%3D&se=2",
            f"https://a/b?sv=1&sig={NOT_SHOWN}&se=2",
        ),
        ("AccountName=a;AccountKey=b==;X=1", f"AccountName=a;AccountKey={NOT_SHOWN};X=1"),
        ({"a": [{"token": "x"}, 1]}, {"a": [{"token": NOT_SHOWN}, 1]}),
        ("plain words, no secret", "plain words, no secret"),
        ({"secret": None, "key": ""}, {"secret": None, "key": ""}),
    ],
)
def test_what_is_left_of_values(value, shown):
    assert without_secrets(value) == shown


def test_the_page_of_a_run_shows_no_secret(lab, browser):
    environment = own_environment(SERVICE_TOKEN=HUSH, RATE="0.25")
    run = lab.submit("print('done')", "--api-key", HUSH, "--rate", "0.5", environment=environment)
    run.tag("api_key", HUSH)
    run.tag("address", f"https://example.org/?sv=1&sig={HUSH}")
    run.add_properties({"clientSecret": HUSH})
    run.wait_for_completion()
    page = browser.page(f"/studio/runs/{run.id}")
    assert HUSH not in str(page)
    assert text(page).count(NOT_SHOWN) >= 5
    assert "--rate" in text(page) and "0.25" in text(page)


def test_the_page_of_an_experiment_shows_no_secret(ws, browser):
    Experiment(ws, "masked").set_tags({"token": HUSH, "team": "blue"})
    page = browser.page("/studio/experiments/masked")
    assert HUSH not in str(page) and "blue" in text(page)
