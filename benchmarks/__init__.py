"""What is measured, against whom: `python -m benchmarks`, with the Python of `.venv`."""
