"""MLflow's own server application, called within this process.

It is a WSGI application. The routes that call it have the whole request and run in a thread, so a
WSGI server between would only pass bytes on; `werkzeug`, on which Flask stands, does the rest.
"""

from __future__ import annotations

import gc
import logging
import threading
import traceback
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from local_workspace.errors import BadRequest
from local_workspace.fields import cut, parse_json
from local_workspace.identity.tokens import Principal
from local_workspace.workspace import LocalWorkspace

_log = logging.getLogger(__name__)
# MLflow chooses its stores by the scheme of an address: this is that of ours.
_SCHEME = "local-workspace"
_HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "content-length"})


class MlflowApplication:
    """Answers requests for MLflow's API and pages; imports MLflow with the first one."""

    def __init__(self, workspace: LocalWorkspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._flask: Any = None

    def respond(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        root: str = "",
        principal: Principal | None = None,
    ) -> Response:
        """The application's answer; `path` is its own, `root` what stands before it."""
        if body and "json" in (headers or {}).get("content-type", ""):
            # MLflow would find some of it out too late, and some not at all.
            parse_json(body)
        flask = self._started()
        from werkzeug.test import EnvironBuilder
        from werkzeug.wrappers import Response as WerkzeugResponse

        from local_workspace.services.mlflow.entities import PRINCIPAL

        builder = EnvironBuilder(
            path=path,
            base_url=f"{self._workspace.origin}{root}/",
            query_string=query,
            method=method,
            headers=dict(headers or {}),
            input_stream=None,
            data=body,
        )
        token = PRINCIPAL.set(principal)
        try:
            answer = WerkzeugResponse.from_app(flask, builder.get_environ(), buffered=True)
        except Exception as error:
            if _is_of_mlflow(error):
                raise BadRequest(
                    f"MLflow cannot read the request {method} {cut(path)}: {cut(str(error), 300)}"
                ) from error
            raise
        finally:
            PRINCIPAL.reset(token)
            builder.close()
        kept = {
            name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP
        }
        return Response(answer.get_data(), status_code=answer.status_code, headers=kept)

    def _started(self) -> Any:
        with self._lock:
            if self._flask is None:
                self._flask = self._start()
            return self._flask

    def _start(self) -> Any:
        from mlflow.server import app, handlers
        from mlflow.store.artifact.artifact_repository_registry import (
            _artifact_repository_registry,
        )

        from local_workspace.services.mlflow.artifact_repository import WorkspaceArtifacts
        from local_workspace.services.mlflow.registry_store import RegistryStore
        from local_workspace.services.mlflow.tracking_store import TrackingStore

        workspace = self._workspace
        tracking, registry = TrackingStore(workspace), RegistryStore(workspace)
        # These registries are what MLflow's entry points for plug-ins fill; an entry point would
        # need a package that is installed.
        handlers._tracking_store_registry.register(_SCHEME, lambda *_, **__: tracking)
        handlers._model_registry_store_registry.register(_SCHEME, lambda *_, **__: registry)
        _artifact_repository_registry.register(
            "azureml", lambda uri, *_, **__: WorkspaceArtifacts(workspace, uri)
        )
        handlers.initialize_backend_stores(f"{_SCHEME}://", f"{_SCHEME}://", f"{_SCHEME}://")
        # A defect is answered by the server's own handler, and never with 5xx.
        app.config["PROPAGATE_EXCEPTIONS"] = True
        # What the imports left stays for good. Unfrozen, every full collection walks through all of
        # it: half of the time of a search among ten thousand runs.
        gc.collect()
        gc.freeze()
        _log.info("MLflow's application is loaded")
        return app


def _is_of_mlflow(error: Exception) -> bool:
    """Whether an error came up while MLflow itself read a request, or made its answer.

    It looks at the kinds of few of the fields that it is sent, and stumbles over the others. An
    error in our stores, or below them, is one of ours.
    """
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    modules = [frame.f_globals.get("__name__", "") for frame in frames]
    return not any(name.startswith("local_workspace.") for name in modules[1:])
