"""The trade-off plot: what it shows, and how it is drawn."""
