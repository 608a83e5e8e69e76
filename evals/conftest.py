"""Evals that wait for their own name: a judge is calibrated on request, not with every run."""

collect_ignore = ["test_judge_calibration.py"]
