"""What runs inside a job; imports nothing of the server."""
