"""Training of LoRA adapters that must prove their gain: configuration, rows, memory, trainer, record and proof.

Only the modules in ``sft`` import torch; they run in processes of their own.
"""
