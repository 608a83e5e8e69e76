"""``hf:`` models: transformers in this process. What only reads files loads nothing heavy."""
