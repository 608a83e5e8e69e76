"""Running cases in one process: responses and bodies ahead of their turn, and the outcomes of cases."""
