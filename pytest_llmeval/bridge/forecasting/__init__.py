"""Forecasts of a session's calls, tokens and cost, made before anything is spent."""
