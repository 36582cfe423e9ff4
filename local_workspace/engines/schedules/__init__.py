"""Starts runs of published pipelines when their schedules say so."""

from local_workspace.engines.schedules.engine import SchedulesEngine

__all__ = ["SchedulesEngine"]
