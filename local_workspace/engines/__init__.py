"""Does the work that takes time; knows no HTTP."""
