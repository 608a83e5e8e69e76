"""What tells equal requests of a run apart, for models that draw by a seed."""

from contextvars import ContextVar

__all__ = ["DRAW"]

DRAW: ContextVar[str] = ContextVar("llmeval_draw", default="1-1")
"""Epoch and number of the call that the running task makes: a repetition is another draw, and the same in each session.
"""
