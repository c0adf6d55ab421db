"""Guided search: what to try next, from what a study knows so far. Samplers are pure functions of
values; the engine asks them.
"""
