"""Models: specs, models.yaml, keys, prices, the protocols and the embedded model. Imports no vendor's SDK."""
