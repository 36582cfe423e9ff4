"""The local workspace: a server on this machine that speaks the Azure ML REST services."""

__version__ = "1.0.0"
