"""Generator of data/json_extraction; run it with ``python -m data.generators.json_extraction``."""
