"""One file a model: CARD, architecture and training recipe; weights/ beside it."""
