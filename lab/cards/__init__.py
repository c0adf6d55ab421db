"""Model cards: adding a model file, training a sample model again."""
