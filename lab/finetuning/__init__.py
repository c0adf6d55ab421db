"""Training inside techniques: options, the training loop of each framework, checkpoints and the
training curve.
"""
