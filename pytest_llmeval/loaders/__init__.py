"""What people write: datasets, prompts, YAML files, thresholds."""
