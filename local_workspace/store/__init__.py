"""What is kept: the database and its tables, and blobs as files."""
