"""Model-graded scoring: rubrics, the requests sent to a judge, and the checks that its answers must pass."""
