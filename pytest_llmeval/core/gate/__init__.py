"""The gate: applies the rules of thresholds.yaml to the cases of a run, compared with a baseline where rules ask."""
