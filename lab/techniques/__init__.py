"""One file a technique: everything that turns a file into a file."""
