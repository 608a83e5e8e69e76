"""Trainings as pytest items: created and checked at collection, then run one by one."""
