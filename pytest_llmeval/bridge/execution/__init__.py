"""Cases as they run in one process: their calls ahead of time, their bodies side by side, their outcomes."""
