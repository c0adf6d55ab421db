"""Reasons why a variant is not faster or not smaller: one rule a file, each a pure function of the
evidence about a trial.
"""
