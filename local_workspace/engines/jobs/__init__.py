"""Runs jobs: from the queue through their states to their end."""
