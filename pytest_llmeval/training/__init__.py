"""Training of adapters that prove their gain: configuration, rows, memory, the process that trains, and the proof.

Only what is in ``sft`` imports torch: it runs in processes of its own.
"""
