"""Guided search: samplers propose the next trials from the outcomes of a study so far. They are
pure functions of values, called by the engine.
"""
