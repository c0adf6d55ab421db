"""Runtimes that execute model files, one file per runtime."""
