"""A case and what its body is handed: the models, the scores, the judges."""
