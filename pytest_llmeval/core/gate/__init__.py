"""The gate: applies the rules of thresholds.yaml to the cases of a run, and compares them with those of a baseline."""
