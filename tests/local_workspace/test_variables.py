"""What is said to pip is said to uv, and each list is the one that everybody reads."""

from local_workspace.variables import READ_AT_IMPORT, said_to_uv


def test_pips_variables_in_uvs_words():
    said = said_to_uv(
        {
            "PIP_INDEX_URL": "https://index.example/simple",
            "PIP_EXTRA_INDEX_URL": "https://one.example\nhttps://two.example",
            "PIP_FIND_LINKS": "wheels more",
            "PIP_NO_INDEX": "",
        }
    )
    assert said == {
        "UV_DEFAULT_INDEX": "https://index.example/simple",
        "UV_INDEX": "https://one.example https://two.example",
        "UV_FIND_LINKS": "wheels,more",
    }


def test_what_uv_was_told_itself_is_left_alone():
    told = {"PIP_INDEX_URL": "https://pip.example", "PIP_FIND_LINKS": "wheels"}
    assert said_to_uv({**told, "UV_DEFAULT_INDEX": "x", "UV_FIND_LINKS": "y"}) == {}
    assert said_to_uv({**told, "UV_INDEX_URL": "x"}) == {"UV_FIND_LINKS": "wheels"}


def test_what_a_process_reads_at_import_is_not_what_a_run_brings():
    assert READ_AT_IMPORT.match("OMP_NUM_THREADS")
    assert READ_AT_IMPORT.match("AZUREML_CURRENT_CLOUD")
    assert not READ_AT_IMPORT.match("AZUREML_RUN_ID")
    assert not READ_AT_IMPORT.match("MLFLOW_RUN_ID")
