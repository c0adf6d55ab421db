"""Sample models, one file each: CARD, architecture and training recipe; weights lie in weights/."""
