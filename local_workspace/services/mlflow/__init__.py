"""MLflow: its own server application, on the runs, metrics and models of this workspace.

Nothing here but the routes is imported before the first request: MLflow takes seconds and memory.
"""
