"""Training of adapters that prove their gain: configuration, rows, memory, the trainer, its record and its proof.

Nothing here imports torch but ``trainer.py`` and what it alone uses, which run in a process of their own.
"""
