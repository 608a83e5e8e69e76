"""The core: data types, metrics, statistics, the gate and the errors. It uses the standard library only."""
