"""The gate: rules applied to the cases of a run, beside those of a baseline."""
