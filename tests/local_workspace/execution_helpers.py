"""What the tests of submitted runs share."""

import json
import textwrap
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psutil
from azureml.core import Environment, Experiment, ScriptRunConfig
from azureml.core.authentication import ArmTokenAuthentication
from azureml.core.compute import AmlCompute, ComputeTarget
from azureml.core.conda_dependencies import CondaDependencies
from tiny_wheels import make_wheel

ENDED = ("Completed", "Failed", "Canceled")
# At the start of a script: waits until a test opens the gate of this path.
GATE = """\
import os, sys, time
def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.02)
"""
# Starts processes that no signal to the script's session reaches, and prints the ids of all.
DAEMONS = """\
import os, subprocess
deaf = ["sh", "-c", "trap '' TERM HUP; sleep 600"]
apart = subprocess.Popen(deaf, start_new_session=True, stdout=subprocess.DEVNULL)
seen, told = os.pipe()
middle = os.fork()
if middle == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(told, str(os.getpid()).encode())
        os.execvp(deaf[0], deaf)
    os._exit(0)
os.waitpid(middle, 0)
orphan = int(os.read(seen, 100))
print(os.getpid(), apart.pid, orphan, flush=True)
"""


def own_environment(**variables):
    """The workspace's own Python: nothing is to be built."""
    environment = Environment("own")
    environment.python.user_managed_dependencies = True
    environment.environment_variables = variables
    return environment


class Lab:
    """Submits runs to one workspace, from projects below `folder`."""

    def __init__(self, server, folder):
        self.server = server
        self.ws = quick_workspace(server.workspace)
        self.folder = folder
        self._projects = 0

    def experiment(self, name="execution"):
        return Experiment(self.ws, name)

    def cluster(self, name="cpu", **options):
        """A cluster of that name, made unless it is there."""
        if name in self.ws.compute_targets:
            return self.ws.compute_targets[name]
        options = {
            "vm_size": "STANDARD_DS11_V2",
            "max_nodes": 2,
            "idle_seconds_before_scaledown": 600,
            **options,
        }
        cluster = ComputeTarget.create(
            self.ws, name, AmlCompute.provisioning_configuration(**options)
        )
        cluster.wait_for_completion()
        return cluster

    def project(self, script=None):
        """A folder with `script` as train.py."""
        self._projects += 1
        folder = self.folder / f"project{self._projects}"
        folder.mkdir()
        (folder / "readme.txt").write_text("part of the snapshot")
        if script is not None:
            (folder / "train.py").write_text(textwrap.dedent(script))
        return str(folder)

    def configuration(self, script=None, *arguments, target=None, **options):
        """`script` is the text of train.py; with None there must be a `command`."""
        options.setdefault("environment", own_environment())
        if script is not None:
            options |= {"script": "train.py", "arguments": list(arguments)}
        options.setdefault("source_directory", self.project(script))
        return ScriptRunConfig(compute_target=target or self.cluster(), **options)

    def submit(self, script=None, *arguments, **options):
        return self.experiment().submit(self.configuration(script, *arguments, **options))

    def gate(self, name="gate"):
        return self.folder / name

    def server_log(self):
        return self.server.paths.server_log.read_text()

    def states_of(self, run):
        """The states of a run in the order in which the engine gave them."""
        lines = [line for line in self.server_log().splitlines() if f"Run {run.id}: " in line]
        return [line.rsplit(" ", 1)[1] for line in lines]


def wait_for(run, *states, seconds=60):
    """Ask for the status of a run until it is one of `states` (or has ended); the status."""
    limit = time.monotonic() + seconds
    while (status := run.get_status()) not in (states or ENDED):
        assert status not in ENDED, f"{status}: {run.get_details().get('error')}"
        assert time.monotonic() < limit, f"still {status}, not {states or ENDED}"
        time.sleep(0.1)
    return status


def wait_until(condition, seconds=60):
    """Ask until there is something; that."""
    limit = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < limit, "it did not come"
        time.sleep(0.02)
    return found


def is_alive(pid):
    """Whether a process runs; one that only waits to be collected does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def error_of(run):
    """The root error of a run."""
    return run.get_details()["error"]["error"]


def text_of(run, name, folder):
    """The content of a file of a run."""
    target = folder / f"{run.id}-{name.replace('/', '-')}"
    run.download_file(name, str(target))
    return target.read_text()


def json_of(run, name, folder):
    """The parsed content of a JSON file of a run."""
    return json.loads(text_of(run, name, folder))


def quick_workspace(ws):
    """The same workspace with one token for all calls, which saves most of the requests."""
    header = ws._auth_object.get_authentication_header()["Authorization"]
    auth = ArmTokenAuthentication(header.removeprefix("Bearer "))
    return type(ws)(ws.subscription_id, ws.resource_group, ws.name, auth=auth)


class PackageIndex:
    """A package index on this machine, which knows what it was asked and answers when told."""

    def __init__(self, folder):
        self._folder = folder
        self._may_answer = threading.Event()
        self._may_answer.set()
        self.requests = []
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                index._answer(self)

            def do_HEAD(self):
                index._answer(self)

            def log_message(self, *_arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_exception):
        self._may_answer.set()
        self._server.shutdown()
        self._server.server_close()

    def add(self, name, version, **options):
        make_wheel(self._folder, name, version, **options)

    def hold(self):
        """Answer nothing until `go`."""
        self._may_answer.clear()

    def go(self):
        self._may_answer.set()

    def asked(self, name):
        """How often the index was asked for the versions of a package."""
        return self.requests.count(f"/simple/{name}/")

    def environment(self, *packages, name="built"):
        """An environment with packages of this index and of no other."""
        environment = Environment(name)
        dependencies = CondaDependencies()
        dependencies.remove_pip_package("azureml-defaults")
        address = f"http://127.0.0.1:{self._server.server_port}/simple"
        dependencies.set_pip_option(f"--index-url {address}")
        for package in packages:
            dependencies.add_pip_package(package)
        environment.python.conda_dependencies = dependencies
        return environment

    def _answer(self, request):
        if request.command == "GET":
            self.requests.append(request.path)
        self._may_answer.wait()
        kind, name = request.path.strip("/").split("/")[:2]
        wheels = sorted(self._folder.glob("*.whl")) if self._folder.exists() else []
        if kind == "simple":
            found = [wheel for wheel in wheels if wheel.name.startswith(name.replace("-", "_"))]
            links = "".join(f'<a href="/files/{one.name}">{one.name}</a>' for one in found)
            body = links.encode()
        else:
            found = [wheel for wheel in wheels if wheel.name == name]
            body = found[0].read_bytes() if found else b""
        try:
            request.send_response(200 if found else 404)
            request.send_header("Content-Type", "text/html" if kind == "simple" else "binary")
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            if request.command == "GET":
                request.wfile.write(body)
        except ConnectionError:
            # The installer was ended while it waited.
            request.close_connection = True
