"""Training of adapters that prove their gain: configuration, rows, memory, the trainer, its record and its proof.

Nothing here imports torch but ``trainer.py``, ``launcher.py`` and what is in ``inside``: they run in processes of their
own.
"""
