"""Recording, judging and resuming a run, in the process that the user started."""
