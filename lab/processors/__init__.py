"""One file a machine: where else a file may run, and how its answers differ there from those
measured here.
"""
