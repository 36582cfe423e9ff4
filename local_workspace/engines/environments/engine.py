"""Gives environments to those who want them, and builds each once, whoever waits for it.

What can be answered at once is answered on the loop's own thread. Asking uv for the Pythons of this
machine and building go on beside it, and nobody's answer waits for the build of another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from local_workspace.engines.base import Engine, Key
from local_workspace.engines.environments.builder import EnvironmentBuilder, asks_uv
from local_workspace.engines.environments.plan import (
    EnvironmentBuildCanceled,
    EnvironmentBuildError,
    Plan,
    read_plan,
)
from local_workspace.engines.environments.waiting import SharedBuild, Wanted
from local_workspace.services import environment
from local_workspace.services.artifact import ArtifactLog
from local_workspace.workspace import LocalWorkspace

# So many builds go on at a time; each takes a processor, and the network, for itself.
_BUILDS_AT_ONCE = 2


@dataclass
class _Asked:
    """A build that a client asked for: what it waits for, its log, and how it ended."""

    wanted: Wanted
    log: ArtifactLog
    is_good: bool | None = None


class EnvironmentsEngine(Engine):
    """Builds environments.

    Its items are what is wanted (`Wanted`), what is built for that (`SharedBuild`), and the builds
    in the tables, by their ids. Only these survive a restart: who wants something wants it again.
    """

    name = "environments"
    # Two may ask for the Pythons of this machine while others build.
    helpers = _BUILDS_AT_ONCE + 2

    def __init__(self, workspace: LocalWorkspace) -> None:
        super().__init__(workspace)
        self._builder = EnvironmentBuilder(
            workspace.paths.environments, is_strict=workspace.settings.strict_environments
        )
        # What follows belongs to the loop's thread.
        self._builds: dict[Path, SharedBuild] = {}
        self._going_on: set[SharedBuild] = set()
        self._asked: dict[str, _Asked] = {}
        self._interrupted: set[str] = set()

    # What others call

    def want(
        self,
        definition: Mapping[str, Any],
        log: Callable[[str], None],
        ready: Callable[[], None],
    ) -> Wanted:
        """Ask for the Python that runs jobs of `definition` (the document of an `Environment`).

        Returns at once. It is the workspace's own Python when that has every package, and otherwise
        that of a virtual environment, which is built when it is not there. `log` gets every
        difference from Azure and every line of the installer; `ready` is called once, when the
        outcome is there. Both are called from threads of the engine, and return at once.
        """
        wanted = Wanted(definition, log, ready)
        self.wake(wanted)
        return wanted

    def find(self, definition: Mapping[str, Any]) -> Path | None:
        """The Python that `want` would lead to without building; None when it would build.

        Raises EnvironmentBuildError for a definition that cannot be followed.
        """
        choice = self._builder.choose(self._plan(definition), lambda _line: None)
        return choice.python if choice.is_ready else None

    def build(self, build_id: str) -> None:
        """Take up a build that stands in the tables. Returns at once."""
        self.wake(build_id)

    def start(self) -> None:
        """Take up the builds that the end of the last server interrupted."""
        self._interrupted = set(self.unfinished())
        super().start()

    # The contract of engines

    def unfinished(self) -> Iterable[str]:
        """The builds in the tables that have not ended."""
        with self.workspace.database.read() as session:
            return environment.unfinished_builds(session)

    def look(self, key: Key) -> None:
        """Answer, build, or note how a build ended."""
        if isinstance(key, Wanted):
            self._look_at_wanted(key)
        elif isinstance(key, SharedBuild):
            self._look_at_build(key)
        else:
            self._look_at_asked(str(key))

    def fail(self, key: Key, reason: str) -> None:
        """End what could not be done."""
        message = f"The environment could not be built ({reason})."
        if isinstance(key, Wanted):
            key.fail(message)
        elif isinstance(key, SharedBuild):
            key.end(message)
        else:
            asked = self._asked.get(str(key))
            log = asked.log if asked else environment.log_of_build(self.workspace, str(key))
            log.say(message)
            with self.workspace.database.write() as session:
                environment.end_build(session, str(key), is_good=False)
            if asked is not None:
                asked.wanted.give_up()
                del self._asked[str(key)]

    # Wanted

    def _plan(self, definition: Mapping[str, Any]) -> Plan:
        return read_plan(environment.with_files_of_private_packages(self.workspace, definition))

    def _look_at_wanted(self, wanted: Wanted) -> None:
        if wanted.is_over:
            return
        if wanted.choice is None:
            try:
                plan = self._plan(wanted.definition)
            except EnvironmentBuildError as error:
                wanted.fail(str(error))
                return
            choose = partial(self._choose, wanted, plan)
            if asks_uv(plan):
                self.aside(choose)
                return
            choose()
        choice = wanted.choice
        if choice is None:
            return
        if choice.folder is None:
            wanted.answer(choice)
        elif choice.is_ready:
            for sentence in choice.replaced():
                wanted.say(sentence)
            wanted.say(f"Environment {choice.folder.name} is ready.")
            wanted.answer(choice)
        else:
            build = self._builds.setdefault(choice.folder, SharedBuild(choice))
            build.join(wanted)
            if build not in self._going_on and len(self._going_on) >= _BUILDS_AT_ONCE:
                wanted.say("Other environments are built first.")
            self.wake(build)

    def _choose(self, wanted: Wanted, plan: Plan) -> None:
        try:
            wanted.choice = self._builder.choose(plan, wanted.say, may_download=True)
        except EnvironmentBuildError as error:
            wanted.fail(str(error))

    # Builds

    def _look_at_build(self, build: SharedBuild) -> None:
        if build.is_wanted and not build.is_over:
            if build in self._going_on or len(self._going_on) < _BUILDS_AT_ONCE:
                self._going_on.add(build)
                self.aside(partial(self._build, build))
            return
        self._going_on.discard(build)
        if self._builds.get(build.choice.folder) is build:
            del self._builds[build.choice.folder]
        build.tell()
        for other in self._builds.values():
            self.wake(other)

    def _build(self, build: SharedBuild) -> None:
        try:
            self._builder.build(
                build.choice, build.say, lambda: self.is_closing or not build.is_wanted
            )
        except EnvironmentBuildCanceled:
            # Who has come since then has it built again.
            return
        except EnvironmentBuildError as error:
            build.end(str(error))
        else:
            build.say(f"Environment {build.choice.folder.name} is ready.")
            build.end()

    # Builds in the tables

    def _look_at_asked(self, build_id: str) -> None:
        asked = self._asked.get(build_id)
        if asked is None:
            self._take_up(build_id)
            return
        if asked.is_good is None:
            try:
                if asked.wanted.python() is None:
                    return
                asked.is_good = True
            except EnvironmentBuildError as error:
                # The installer's own lines are in the log already.
                asked.log.say(str(error).splitlines()[0])
                asked.is_good = False
        asked.log.flush()
        with self.workspace.database.write() as session:
            environment.end_build(session, build_id, is_good=asked.is_good)
        del self._asked[build_id]

    def _take_up(self, build_id: str) -> None:
        with self.workspace.database.read() as session:
            definition = environment.definition_of_build(session, build_id)
        if definition is None:
            return
        log = environment.log_of_build(self.workspace, build_id)
        if build_id in self._interrupted:
            log.say("The local workspace was stopped during this build, which begins again.")
        wanted = self.want(definition, log.say, partial(self.wake, build_id))
        self._asked[build_id] = _Asked(wanted, log)
