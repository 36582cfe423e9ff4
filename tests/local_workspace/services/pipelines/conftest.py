"""Steps and pipelines for the tests."""

import pytest


class Workbench:
    """Makes steps and runs pipelines in one workspace, from folders below `folder`."""

    def __init__(self, lab):
        from azureml.core.runconfig import RunConfiguration
        from execution_helpers import own_environment

        self.lab = lab
        self.ws = lab.ws
        self.store = lab.ws.get_default_datastore()
        self.cluster = lab.cluster()
        self.configuration = RunConfiguration()
        self.configuration.target = self.cluster
        self.configuration.environment = own_environment()
        self.environment = self.configuration.environment

    def step(self, name, script, *arguments, **options):
        """A step whose script is the text `script`."""
        from azureml.pipeline.steps import PythonScriptStep

        return PythonScriptStep(
            name=name,
            script_name="train.py",
            arguments=list(arguments),
            compute_target=self.cluster,
            runconfig=self.configuration,
            **{
                "source_directory": options.get("source_directory") or self.lab.project(script),
                "allow_reuse": False,
                **options,
            },
        )

    def submit(self, *steps, experiment="pipelines", **options):
        """A run of these steps."""
        from azureml.core import Experiment
        from azureml.pipeline.core import Pipeline

        return Experiment(self.ws, experiment).submit(Pipeline(self.ws, list(steps)), **options)

    def run(self, *steps, **options):
        """A run of these steps, when it has ended."""
        run = self.submit(*steps, **options)
        self.end(run)
        return run

    def end(self, run):
        """Wait for a run; the word of the pipelines service for how it ended."""
        from execution_helpers import wait_until

        words = ("Finished", "Failed", "Canceled")
        return wait_until(lambda: (status := run.get_status()) in words and status)

    def status_of(self, run):
        """The steps of a run that have begun, with how far they are."""
        return {step.name: step.get_status() for step in run.get_steps()}


@pytest.fixture
def bench(lab):
    return Workbench(lab)
