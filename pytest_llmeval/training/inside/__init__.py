"""What runs in the process that trains, and there alone: all that imports torch for it."""
