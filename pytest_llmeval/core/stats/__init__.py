"""The statistics of the gate: distributions, intervals, paired tests, multiplicity, resampling."""
