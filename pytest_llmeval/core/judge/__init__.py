"""Judging by a model: rubrics, what a judge is asked, and what may be taken for its verdict."""
