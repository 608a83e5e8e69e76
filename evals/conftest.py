"""Evals that wait for their own name: a judge is calibrated, and a trained model measured, on request."""

collect_ignore = ["test_judge_calibration.py", "test_short_extraction.py"]
