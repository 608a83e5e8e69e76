"""``hf:`` models: transformers in this process. ``sources`` and ``params`` load nothing heavy; the rest loads torch."""
