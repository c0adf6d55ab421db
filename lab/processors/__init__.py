"""Emulated processors, one file each: other places where a file may run, and how its outputs differ
there.
"""
