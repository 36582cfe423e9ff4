"""PLACEHOLDER until the environments branch lands."""

from __future__ import annotations

import threading

from local_workspace.engines.environments.builder import EnvironmentBuilder, EnvironmentBuildError
from local_workspace.services import environment


class Wanted:
    def __init__(self):
        self._python = None
        self._error = None
        self.stop = False

    def python(self):
        if self._error is not None:
            raise self._error
        return self._python

    def give_up(self):
        self.stop = True


class EnvironmentsEngine:
    name = "environments"

    def __init__(self, workspace):
        self.workspace = workspace
        self.closing = False

    def start(self):
        pass

    def close(self):
        self.closing = True

    def want(self, definition, log, ready):
        wanted = Wanted()

        def run():
            try:
                d = environment.with_files_of_private_packages(self.workspace, definition)
                wanted._python = EnvironmentBuilder(self.workspace.paths.environments).ensure(
                    d, log, lambda: wanted.stop or self.closing
                )
            except EnvironmentBuildError as error:
                wanted._error = error
            except Exception as error:
                wanted._error = EnvironmentBuildError(str(error))
            ready()

        threading.Thread(target=run, daemon=True).start()
        return wanted
