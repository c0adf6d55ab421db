"""Changes of model files: quantization, pruning, factorization, conversion. Only techniques and the
questions about layers import this package.
"""
