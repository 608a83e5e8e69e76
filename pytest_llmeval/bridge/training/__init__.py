"""Trainings as pytest items: made and checked at collection, then run one by one."""
