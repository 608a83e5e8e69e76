"""Models: specs, models.yaml, keys, prices; a package for each protocol and for each way to run one on this machine."""
