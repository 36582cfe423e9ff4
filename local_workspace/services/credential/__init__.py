"""The key vault of the workspace. The routes are in the module `routes`."""
