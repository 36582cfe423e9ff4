"""The lessons, cell by cell in a Jupyter kernel, as a reader runs them in VS Code or JupyterLab."""

import json
import re
import textwrap

import nbformat
import pytest
from nbclient import NotebookClient
from repository import LESSONS, find_lesson

# What draws something that a notebook shows.
DRAWING = {"04", "05"}


def cells_of(number):
    """The source of a lesson's cells; what stands before the first `# %%` is one, too."""
    text = find_lesson(number).read_text(encoding="utf-8")
    return re.split(r"^(?=# %%)", text, flags=re.MULTILINE)


@pytest.fixture
def execute(clone, tmp_path):
    """Executes cells in a new kernel of this environment, in the clone; returns them."""

    def execute(*cells):
        cells = [nbformat.v4.new_code_cell(textwrap.dedent(cell)) for cell in cells]
        notebook = nbformat.v4.new_notebook(cells=cells)
        environment = {**clone.environment, "TMPDIR": str(tmp_path)}
        # A reader's kernel chooses how pictures are drawn.
        del environment["MPLBACKEND"]
        client = NotebookClient(
            notebook, kernel_name="python3", resources={"metadata": {"path": str(clone.folder)}}
        )
        clone.close()
        client.execute(env=environment)
        return notebook.cells

    return execute


def printed(cells):
    outputs = [output for cell in cells for output in cell.outputs]
    return "".join(output.text for output in outputs if output.output_type == "stream")


def pictures(cells):
    outputs = [output for cell in cells for output in cell.outputs]
    return [output for output in outputs if "image/png" in output.get("data", {})]


@pytest.mark.parametrize("number", LESSONS)
def test_a_lesson_runs_cell_by_cell(execute, number):
    cells = execute(*cells_of(number))
    assert all(cell.source.startswith("# %%") for cell in cells[1:])
    assert "\nNext: " in printed(cells)
    assert bool(pictures(cells)) == (number in DRAWING)


def test_matplotlib_draws_into_the_notebook(execute):
    cells = execute(
        """
        %matplotlib inline
        import matplotlib
        import matplotlib.pyplot as plt
        plt.plot([1, 2])
        print(matplotlib.get_backend())
        """
    )
    assert "inline" in printed(cells)
    assert len(pictures(cells)) == 1


DRAWING_SCRIPT = """
import json, os
import matplotlib.pyplot as plt
from azureml.core import Run
figure = plt.figure()
Run.get_context().log("backend", plt.get_backend().lower())
with open("outputs/variables.json", "w") as file:
    json.dump(dict(os.environ), file)
"""


def test_a_local_run_has_nothing_of_the_kernel_it_was_submitted_from(execute, tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    (project / "draw.py").write_text(DRAWING_SCRIPT)
    cells = execute(
        f"""
        from dotenv import load_dotenv
        load_dotenv(override=True)
        import os
        from azureml.core import Environment, Experiment, ScriptRunConfig, Workspace
        assert os.environ["MPLBACKEND"].startswith("module://")
        environment = Environment("mine")
        environment.python.user_managed_dependencies = True
        config = ScriptRunConfig({str(project)!r}, script="draw.py", environment=environment)
        run = Experiment(Workspace.from_config(), "from-a-notebook").submit(config)
        run.wait_for_completion(raise_on_error=True)
        """,
        f"run.download_file('outputs/variables.json', {str(tmp_path / 'variables.json')!r})",
        "print(run.get_metrics()['backend'])",
    )
    variables = json.loads((tmp_path / "variables.json").read_text())
    assert variables["HOME"].endswith("home")
    of_a_kernel = {"MPLBACKEND", "JPY_PARENT_PID", "FORCE_COLOR", "CLICOLOR_FORCE"}
    assert not of_a_kernel & set(variables)
    assert printed(cells[2:]).strip() == "agg"
