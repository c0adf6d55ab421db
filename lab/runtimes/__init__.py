"""One file a runtime: everything that runs a file."""
