"""Why a variant is not faster or not smaller: one rule a file, each a pure function of what is
known of a trial.
"""
