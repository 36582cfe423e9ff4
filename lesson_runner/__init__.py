"""Sets up the environment and runs the lessons in order; started by run.py.

`set_up`, `command_line` and `lessons` run in any Python from 3.8 on, with the standard library
only, because the environment may not exist yet; the other modules run inside of it.
"""
