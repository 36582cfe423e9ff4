"""Sends the metrics that the SDK still holds back in this process.

The SDK logs in batches, from threads that end with the process, and flushes nothing by itself. Only
the standard library is imported here: an environment need not have the SDK.
"""

from __future__ import annotations

import gc
import sys
from concurrent.futures import ThreadPoolExecutor

# The module of the SDK that sends metrics: one client for each run object that has logged some.
MODULE = "azureml._restclient.metrics_client"
_AT_ONCE = 8
_SECONDS = 120


def send_all() -> None:
    """Send what is left, for whichever run: the job's own, its parent, its children.

    What cannot be sent is said on stderr: the user's script is over, and this must not hide how it
    ended.
    """
    module = sys.modules.get(MODULE)
    kind = getattr(module, "MetricsClient", None)
    if kind is None:
        return
    clients = [thing for thing in gc.get_objects() if type(thing) is kind and _has_logged(thing)]
    if not clients:
        return
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(_send, clients))


def _has_logged(client: object) -> bool:
    """Whether a client has a queue, which it makes when it is first needed."""
    names = ("_task_queue_internal", "_task_queue_v2_internal")
    # One of another version of the SDK is asked in any case.
    return any(getattr(client, name, client) is not None for name in names)


def _send(client: object) -> None:
    try:
        client.flush(timeout_seconds=_SECONDS)  # type: ignore[attr-defined]
    except Exception as error:
        print(f"The last metrics could not be sent: {error}", file=sys.stderr)
