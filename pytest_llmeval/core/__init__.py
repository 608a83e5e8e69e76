"""The core: types, metrics, the gate and the errors. Standard library only."""
