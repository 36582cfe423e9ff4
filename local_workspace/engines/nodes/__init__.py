"""The nodes of clusters, and what runs the processes of a job on one of them."""
