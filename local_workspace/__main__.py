"""`python -m local_workspace`: start, stop and look after a local workspace."""

from local_workspace.cli import main

if __name__ == "__main__":
    main()
