"""The commands: start, stop, status, logs, reset, env, config."""

import io
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import dotenv
import pytest
from repository import REPOSITORY

from local_workspace import cli, process
from local_workspace.client_environment import env_lines, server_environment
from local_workspace.paths import Paths
from local_workspace.settings import Settings


def command(*arguments, **environment):
    """Run `python -m local_workspace` as a user does and return the finished process."""
    return subprocess.run(
        [sys.executable, "-m", "local_workspace", *map(str, arguments)],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        text=True,
        capture_output=True,
        check=False,
    )


@pytest.fixture
def root(tmp_path):
    """The root of a workspace that is stopped after the test."""
    folder = tmp_path / "state"
    yield folder
    process.stop(Paths(folder))


def test_start_is_idempotent_and_stop_ends_it(root):
    first = command("start", "--root", root, "--port", 0)
    second = command("start", "--root", root)
    status = json.loads(command("status", "--root", root, "--json").stdout)
    assert first.returncode == second.returncode == 0
    assert "is running at https://localhost:" in first.stdout
    assert "was running already" in second.stdout
    assert status["running"] and process.health(Paths(root), status["port"])["pid"] == status["pid"]

    stopped = command("stop", "--root", root)
    assert "is stopped" in stopped.stdout
    after = command("status", "--root", root)
    assert after.returncode == 1 and "Not running" in after.stdout
    assert "was not running" in command("stop", "--root", root).stdout


def test_a_crash_leaves_nothing_in_the_way(root):
    paths = Paths(root)
    before, _ = process.start(paths, 0)
    workspace_id = Settings.load(paths.settings).workspace_id
    os.kill(before.pid, 9)
    os.waitpid(before.pid, 0)
    assert paths.server_state.exists(), "the crashed server leaves its file behind"
    assert process.read_state(paths) is None
    after, started = process.start(paths, None)
    assert started and after.pid != before.pid and after.port == before.port
    assert Settings.load(paths.settings).workspace_id == workspace_id


def test_two_roots_side_by_side(root, local_workspace):
    state, _ = process.start(Paths(root), 0)
    other = process.read_state(local_workspace.paths)
    assert state.port != other.port and state.workspace_id != other.workspace_id
    assert process.health(local_workspace.paths, other.port)["workspaceId"] == other.workspace_id


def test_port_in_use_is_said(root):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = command("start", "--root", root, "--port", port)
    assert result.returncode == 1
    assert f"Port {port} is in use" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_taken_port_of_last_time_moves_the_workspace(root):
    paths = Paths(root)
    state, _ = process.start(paths, 0)
    process.stop(paths)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", state.port))
        taken.listen()
        moved, _ = process.start(paths, None)
    assert moved.port != state.port
    assert f"localhost:{moved.port}/" in command("env", "--root", root).stdout


def test_a_running_workspace_does_not_move(root):
    process.start(Paths(root), 0)
    result = command("start", "--root", root, "--port", 1)
    assert result.returncode == 1 and "runs already, on port" in result.stderr


def test_unwritable_folder_is_said(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    result = command("start", "--root", tmp_path / "file" / "state")
    assert result.returncode == 1
    assert "cannot be written" in result.stderr and "--root" in result.stderr
    assert "Traceback" not in result.stderr


def test_broken_settings_are_said(root):
    process.start(Paths(root), 0)
    process.stop(Paths(root))
    Paths(root).settings.write_text("{")
    for arguments in (("env",), ("start",)):
        result = command(*arguments, "--root", root)
        assert result.returncode == 1, arguments
        assert "workspace.json cannot be read" in result.stderr, arguments
        assert "Traceback" not in result.stderr


def test_reset_makes_a_new_workspace_and_spares_foreign_folders(root, tmp_path):
    paths = Paths(root)
    process.start(paths, 0)
    before = Settings.load(paths.settings)
    assert command("reset", "--root", root, "--yes").returncode == 0
    assert not root.exists()
    process.start(paths, 0)
    after = Settings.load(paths.settings)
    assert after.workspace_id != before.workspace_id
    assert after.storage_key != before.storage_key
    assert after.scope == before.scope, "config.json stays valid"

    foreign = tmp_path / "documents"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("years of work")
    refused = command("reset", "--root", foreign, "--yes")
    assert refused.returncode == 1 and (foreign / "thesis.txt").exists()
    assert "does not look like a local workspace" in refused.stderr


def test_reset_of_a_workspace_with_something_else_in_it_deletes_nothing(root):
    paths = Paths(root)
    process.start(paths, 0)
    (root / "thesis.txt").write_text("years of work")
    before = {path.name for path in root.iterdir()}
    refused = command("reset", "--root", root, "--yes")
    assert refused.returncode == 1 and "holds what is not the workspace's: thesis.txt" in (
        refused.stderr
    )
    assert {path.name for path in root.iterdir()} == before and process.is_running(paths)


def test_reset_deletes_a_link_and_not_what_it_leads_to(root, tmp_path):
    paths = Paths(root)
    elsewhere = tmp_path / "a bigger disk"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    root.mkdir()
    Settings().save(paths.settings)
    paths.environments.symlink_to(elsewhere)
    assert command("reset", "--root", root, "--yes").returncode == 0
    assert not root.exists() and (elsewhere / "kept").exists()


def test_reset_needs_the_settings(root):
    root.mkdir()
    Paths(root).server_lock.touch()
    Paths(root).blobs.mkdir()
    refused = command("reset", "--root", root, "--yes")
    assert refused.returncode == 1 and "it has no workspace.json" in refused.stderr
    assert Paths(root).blobs.exists()


def test_a_folder_of_something_else_does_not_become_a_workspace(tmp_path):
    (tmp_path / "thesis.txt").touch()
    tmp_path.chmod(0o755)
    refused = command("start", "--root", tmp_path, "--port", 0)
    assert refused.returncode == 1 and "is not empty and no local workspace" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_what_a_workspace_keeps_is_its_owners_alone(root):
    root.mkdir(mode=0o755)
    root.chmod(0o755)
    os.umask(before := os.umask(0))
    assert not before & 0o700
    process.start(Paths(root), 0)
    open_to_others = [
        str(path)
        for path in (root, *root.rglob("*"))
        if not path.is_symlink() and path.stat().st_mode & 0o077
    ]
    assert not open_to_others


def test_a_stop_during_a_start_spares_the_process_that_a_dead_server_left(root):
    paths = Paths(root)
    # The number of the dead server has been given to another process meanwhile.
    with subprocess.Popen(["sleep", "600"]) as bystander:
        try:
            root.mkdir()
            stale = process.ServerState(bystander.pid, 1, "the-one-before")
            process.write_state(paths, stale)
            starting = process.ServerLock(paths)
            assert starting.acquire()
            assert process.is_running(paths) and process.read_state(paths) is None
            starting.release()
            assert process.stop(paths) is False
            assert bystander.poll() is None
        finally:
            bystander.kill()


@pytest.mark.parametrize("name", ["workspace.json", "server.lock", "sign-in.html", "certificates"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("start", "--port", "0"),
        ("status",),
        ("status", "--json"),
        ("open", "--no-browser"),
        ("stop",),
        ("env",),
        ("config",),
        ("logs",),
        ("reset", "--yes"),
    ],
    ids=" ".join,
)
def test_a_half_written_root_is_answered_with_sentences(
    tmp_path, name, arguments, monkeypatch, capsys
):
    root = tmp_path / "root"
    wrong = root / name
    root.mkdir()
    if name == "certificates":
        wrong.touch()
    else:
        (wrong / "a folder, where a file belongs").mkdir(parents=True)
    options = ["--root", str(root), *arguments[1:]]
    monkeypatch.setattr(sys, "argv", ["local_workspace", arguments[0], *options])
    try:
        with pytest.raises(SystemExit):
            cli.main()
        assert len(capsys.readouterr().err.splitlines()) <= 2
    finally:
        if name != "server.lock":
            process.stop(Paths(root))


def test_reset_asks(root):
    process.start(Paths(root), 0)
    result = subprocess.run(
        [sys.executable, "-m", "local_workspace", "reset", "--root", str(root)],
        cwd=REPOSITORY,
        input="n\n",
        text=True,
        capture_output=True,
        check=False,
    )
    assert "Nothing was deleted." in result.stdout and Paths(root).settings.exists()


def test_env_reads_alike_in_dotenv_and_shell(tmp_path):
    folder = tmp_path / "a folder with 'quotes'"
    try:
        process.start(Paths(folder), 0)
        result = command("env", "--root", folder, no_proxy="intranet.example", NO_PROXY="")
    finally:
        process.stop(Paths(folder))
    by_dotenv = dotenv.dotenv_values(stream=io.StringIO(result.stdout))
    (tmp_path / "lines").write_text(result.stdout)
    shell = subprocess.run(
        ["sh", "-c", "set -a; . ./lines; env -0"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
        env={"PATH": os.environ["PATH"]},
    )
    by_shell = dict(line.split("=", 1) for line in shell.stdout.decode().split("\0") if line)
    assert by_dotenv == {name: by_shell[name] for name in by_dotenv}
    assert by_dotenv["no_proxy"] == "intranet.example,localhost,127.0.0.1"
    assert by_dotenv["NO_PROXY"] == "localhost,127.0.0.1"
    assert Path(by_dotenv["SSL_CERT_FILE"]).read_text().count("BEGIN CERTIFICATE") == 1


def test_env_before_the_first_start_says_what_to_do(tmp_path):
    result = command("env", "--root", tmp_path)
    assert result.returncode == 1 and "python run.py workspace start --root" in result.stderr


def test_config_is_what_the_sdk_reads(local_workspace):
    printed = json.loads(command("config", "--root", local_workspace.root).stdout)
    assert printed == local_workspace.config


def test_wrong_use_exits_with_2():
    assert command("start", "--port", "many").returncode == 2
    assert command("dance").returncode == 2


def test_logs_hold_no_secret(local_workspace):
    log = local_workspace.paths.server_log.read_text()
    settings = local_workspace.settings
    for secret in (settings.storage_key, settings.msi_secret, settings.signing_key):
        assert secret not in log
    lines = str(len(log.splitlines()) + 1000)
    printed = command("logs", "--lines", lines, "--root", local_workspace.root).stdout
    assert "Local workspace" in printed


def test_settings_are_private(local_workspace):
    assert local_workspace.paths.settings.stat().st_mode & 0o077 == 0
    assert (local_workspace.paths.certificates / "server.pem").stat().st_mode & 0o077 == 0


def test_the_server_does_not_inherit_the_redirection(local_workspace):
    kept = server_environment({**local_workspace.env, "PATH": "/bin", "UV_OFFLINE": "1"})
    assert kept["PATH"] == "/bin" and kept["UV_OFFLINE"] == "1"
    assert not {"ARM_CLOUD_METADATA_URL", "MSI_SECRET", "REQUESTS_CA_BUNDLE"} & set(kept)


_OF_THE_KERNEL = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "JPY_PARENT_PID": "1",
    "FORCE_COLOR": "1",
    "TERM": "xterm-color",
}


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({}, {}),
        ({"JPY_PARENT_PID": None}, {}),
        ({"MPLBACKEND": "agg", "TERM": "dumb"}, {"MPLBACKEND": "agg", "TERM": "dumb"}),
        # No kernel: it was the user who chose.
        ({"MPLBACKEND": None, "JPY_PARENT_PID": None}, {"FORCE_COLOR": "1", "TERM": "xterm-color"}),
        ({"MPLBACKEND": "module://ipympl.backend_nbagg", "MINE": "1"}, {"MINE": "1"}),
    ],
)
def test_what_is_started_from_a_notebook_has_nothing_of_its_kernel(changes, kept):
    environment = {k: v for k, v in {**_OF_THE_KERNEL, **changes}.items() if v is not None}
    assert server_environment(environment) == kept


@pytest.mark.skipif(shutil.which("ss") is None, reason="needs ss")
def test_the_server_listens_on_loopback_only(local_workspace):
    port = process.read_state(local_workspace.paths).port
    listing = subprocess.run(["ss", "-ltnH"], text=True, capture_output=True, check=True).stdout
    addresses = {line.split()[3] for line in listing.splitlines()}
    assert {a for a in addresses if a.endswith(f":{port}")} == {f"127.0.0.1:{port}"}


@pytest.mark.parametrize("value", ["a b", "it's", 'say "it\'s"', "$HOME `x` !", "\\"])
def test_values_survive_both_notations(value):
    lines = env_lines({"NAME": value})
    assert dotenv.dotenv_values(stream=io.StringIO(lines)) == {"NAME": value}
    shell = subprocess.run(
        ["sh", "-c", f'{lines}printf %s "$NAME"'], capture_output=True, text=True, check=True
    )
    assert shell.stdout == value


def test_a_value_without_common_notation_is_refused():
    with pytest.raises(ValueError, match="NAME cannot be written"):
        env_lines({"NAME": "it's $5"})


def test_a_start_that_fails_is_said_at_once(root):
    process.start(Paths(root), 0)
    process.stop(Paths(root))
    Paths(root).database.write_bytes(b"not a database" * 1000)
    for leftover in (f"{Paths(root).database}-wal", f"{Paths(root).database}-shm"):
        Path(leftover).unlink(missing_ok=True)
    result = command("start", "--root", root)
    assert result.returncode == 1
    assert "file is not a database" in result.stderr and "Traceback" not in result.stderr


def test_open_starts_a_stopped_workspace_and_hints_carry_the_root(root):
    opened = command("open", "--no-browser", "--root", root)
    assert opened.returncode == 0 and "Started the local workspace" in opened.stdout
    assert process.is_running(Paths(root))
    again = command("start", "--root", root)
    assert f"`python run.py workspace open --root {root}`" in again.stdout
