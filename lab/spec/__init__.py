"""Specs of studies: recipes, the plan of trials, presets, reading from JSON, compositions, guided
search.
"""
