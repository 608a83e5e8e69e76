"""``hf:`` models, run by transformers in this process. Modules that only read files import nothing heavy."""
