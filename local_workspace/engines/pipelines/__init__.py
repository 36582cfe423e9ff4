"""Runs pipelines: starts the steps that are ready, and ends a run with its last one."""

from local_workspace.engines.pipelines.engine import PipelinesEngine

__all__ = ["PipelinesEngine"]
