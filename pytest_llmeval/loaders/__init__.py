"""Loading what users write: datasets, prompts, rubrics, YAML files, thresholds."""
