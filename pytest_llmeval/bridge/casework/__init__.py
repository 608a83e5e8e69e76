"""A case and the objects that its body uses: models, scores, judges."""
