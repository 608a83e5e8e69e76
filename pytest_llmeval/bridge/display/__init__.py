"""Output of a session in pytest's own displays: progress, a short summary, the HTML report."""
