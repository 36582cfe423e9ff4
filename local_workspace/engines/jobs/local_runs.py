"""compute_target='local': what the SDK gets to start a run in a folder of the user's machine.

The SDK copies the project into a temporary folder, unpacks this archive there, starts
`azureml-setup/Invocation.sh` in the background, and cancels by writing `azureml-setup/killfile`.
The server runs on the same machine: the script only says where the folder is and what environment
it was started with, passes a cancellation on, and waits for the end.
"""

from __future__ import annotations

import io
import shlex
import sys
import zipfile

from local_workspace.engines.jobs.folders import CALLER_FILE, KILL_FILE, START_FILE, job_folder
from local_workspace.workspace import LocalWorkspace

_SCRIPT = """#!/bin/bash
# Starts the run {run_id} in this folder and waits for its end.
cd "$(dirname "$0")/.." || exit 1
job={folder}
umask 077
{python} -I -c 'import json, os, sys; json.dump(dict(os.environ), open(sys.argv[1], "w"))' \\
    "$job/{caller}" || exit 1
pwd > "$job/{start}.new" && mv "$job/{start}.new" "$job/{start}" || exit 1
# The workspace deletes that folder when the run is over.
while [ -e "$job/{start}" ]; do
    if [ -e azureml-setup/killfile ]; then
        touch "$job/{kill}"
    fi
    sleep 0.2
done
"""


def invocation_zip(workspace: LocalWorkspace, run_id: str) -> bytes:
    """The archive with `azureml-setup/Invocation.sh` for a run."""
    folder = job_folder(workspace, run_id)
    folder.mkdir(parents=True, exist_ok=True)
    script = _SCRIPT.format(
        run_id=run_id,
        folder=shlex.quote(str(folder)),
        python=shlex.quote(sys.executable),
        caller=CALLER_FILE,
        start=START_FILE,
        kill=KILL_FILE,
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        entry = zipfile.ZipInfo("azureml-setup/Invocation.sh")
        entry.external_attr = 0o755 << 16
        out.writestr(entry, script)
    return archive.getvalue()
