"""Models: specs, models.yaml, keys, the OpenAI protocol and the embedded model. Imports no vendor's SDK."""
