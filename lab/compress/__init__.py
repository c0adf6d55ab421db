"""Changing model files: quantizing, pruning, factorizing, converting. Only techniques (and the
questions about layers) import it.
"""
