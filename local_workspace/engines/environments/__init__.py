"""Environments as virtual environments of this machine."""
