"""Tasks of models, one file each, with the metric that judges them."""
