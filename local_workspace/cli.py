"""The commands of `python -m local_workspace`."""

from __future__ import annotations

import json
import os
import sys
import webbrowser
from pathlib import Path
from typing import Annotated, Optional

import typer

from local_workspace import process
from local_workspace.client_environment import client_environment, env_lines, server_environment
from local_workspace.paths import DEFAULT_ROOT, Paths
from local_workspace.process import ProcessError, ServerLock
from local_workspace.root_folder import RootError, check_deletable, delete_root
from local_workspace.settings import BrokenSettings, Settings

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="An Azure ML workspace on this machine.",
)

Root = Annotated[
    Path, typer.Option("--root", help="The folder that holds all state of the workspace.")
]
_ROOT = Path(DEFAULT_ROOT)


def main() -> None:
    """Run the command line; a known failure is one sentence and exit code 1."""
    try:
        app(prog_name="python run.py workspace")
    except (ProcessError, RootError, BrokenSettings) as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from None
    except OSError as error:
        print(
            f"The local workspace cannot be read or written ({error.strerror}: {error.filename}). "
            "Choose another folder with --root, or change its permissions.",
            file=sys.stderr,
        )
        raise SystemExit(1) from None


def _settings(paths: Paths) -> Settings:
    try:
        return Settings.load(paths.settings)
    except FileNotFoundError:
        raise ProcessError(
            f"There is no local workspace in {paths.root}. "
            f"Make one with `{paths.command('start')}`."
        ) from None


@app.command()
def start(
    root: Root = _ROOT,
    port: Annotated[
        Optional[int],
        typer.Option(min=0, max=65535, help="Port on loopback; 0 picks a free one."),
    ] = None,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay in this terminal until Ctrl+C.")
    ] = False,
) -> None:
    """Start the workspace; does nothing when it runs already."""
    paths = Paths(root)
    if foreground:
        kept = server_environment(os.environ)
        for name in set(os.environ) - set(kept):
            del os.environ[name]
        from local_workspace.server import serve  # heavy, and only this command needs it

        serve(paths, port)
        return
    state, started = process.start(paths, port)
    verb = "is running" if started else "was running already"
    print(f"The local workspace {verb} at https://localhost:{state.port} (process {state.pid}).")
    print(f"`{paths.command('open')}` shows its web pages.")


@app.command()
def stop(root: Root = _ROOT) -> None:
    """Stop the workspace; its state stays."""
    stopped = process.stop(Paths(root))
    print("The local workspace is stopped." if stopped else "The local workspace was not running.")


@app.command()
def status(
    root: Root = _ROOT,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say whether the workspace runs, and where. Exit code 1 when it does not."""
    paths = Paths(root)
    state = process.read_state(paths)
    report = process.health(paths, state.port) if state else None
    running = state is not None and report is not None
    if as_json:
        known = Settings.load(paths.settings) if paths.settings.exists() else None
        print(
            json.dumps(
                {
                    "running": running,
                    "pid": state.pid if state else None,
                    "port": state.port if state else (known.port if known else None),
                    "origin": f"https://localhost:{state.port}" if state else None,
                    "workspace_id": known.workspace_id if known else None,
                    "root": str(paths.root),
                }
            )
        )
    elif running and state is not None:
        print(f"Running at https://localhost:{state.port} (process {state.pid}), {paths.root}")
    elif state is not None:
        print(f"Process {state.pid} holds {paths.root} and does not answer on port {state.port}.")
    else:
        print(f"Not running ({paths.root}).")
    raise typer.Exit(0 if running else 1)


@app.command()
def logs(
    root: Root = _ROOT,
    lines: Annotated[int, typer.Option(min=1, help="How many lines from the end.")] = 100,
) -> None:
    """Print the end of the server's log."""
    paths = Paths(root)
    if not paths.server_log.exists():
        raise ProcessError(f"There is no log yet in {paths.logs}.")
    text = paths.server_log.read_text(encoding="utf-8", errors="replace")
    print("\n".join(text.splitlines()[-lines:]))


@app.command("open")
def open_pages(
    root: Root = _ROOT,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open a browser, or only say what to do.")
    ] = True,
) -> None:
    """Open the web pages of the workspace, signed in; start it first when it does not run."""
    paths = Paths(root)
    state, started = process.start(paths, None)
    if started:
        print(f"Started the local workspace in {paths.root}.")
    from local_workspace.studio.ticket_page import write_ticket_page  # only this command needs it

    page = write_ticket_page(paths, _settings(paths), state)
    opened = browser and webbrowser.open(page.as_uri())
    print(f"The pages are at https://localhost:{state.port}/studio/")
    print(
        f"{'If no browser opened' if opened else 'To sign in'}, open this file in one within two "
        f"minutes: {page}\n"
        "A browser that warns of the certificate does not know the authority of this workspace, "
        f"{paths.certificates / 'authority.pem'}: continue past the warning, or import that file."
    )


@app.command()
def reset(
    root: Root = _ROOT,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete all state of the workspace, after asking."""
    paths = Paths(root)
    if not paths.root.exists():
        print(f"There is nothing in {paths.root}.")
        return
    check_deletable(paths)
    if not yes and not typer.confirm(
        f"Delete every dataset, run, model and file of the workspace in {paths.root}?"
    ):
        print("Nothing was deleted.")
        return
    process.stop(paths)
    lock = ServerLock(paths)
    if not lock.acquire():
        raise ProcessError(f"Another command started the workspace in {paths.root} meanwhile.")
    delete_root(paths)
    print(f"Deleted {paths.root}. The next start makes a new, empty workspace.")


@app.command()
def env(
    root: Root = _ROOT,
    all_roots: Annotated[
        bool,
        typer.Option(
            "--all-roots",
            help="Also trust the usual certificate authorities (slower: 20 ms a connection).",
        ),
    ] = False,
) -> None:
    """Print the lines of a .env file that lead a program to this workspace."""
    paths = Paths(root)
    variables = client_environment(paths, _settings(paths), os.environ, all_roots=all_roots)
    try:
        print(env_lines(variables), end="")
    except ValueError as error:
        raise ProcessError(str(error)) from error


@app.command()
def config(root: Root = _ROOT) -> None:
    """Print the workspace's config.json."""
    settings = _settings(Paths(root))
    print(
        json.dumps(
            {
                "subscription_id": settings.subscription_id,
                "resource_group": settings.resource_group,
                "workspace_name": settings.workspace_name,
            },
            indent=4,
        )
    )
