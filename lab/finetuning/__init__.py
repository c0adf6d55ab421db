"""What techniques that train share: the options, the loop of each framework, checkpoints and the
curve that is told.
"""
