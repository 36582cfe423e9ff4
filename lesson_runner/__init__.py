"""Runs the lessons in order; started by run.py inside the environment it has set up."""
