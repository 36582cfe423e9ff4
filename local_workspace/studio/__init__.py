"""The web pages of the workspace, what Azure calls the studio."""
