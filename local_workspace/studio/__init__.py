"""The web pages of the local workspace."""
