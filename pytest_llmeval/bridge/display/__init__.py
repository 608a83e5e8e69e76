"""What a session shows beside its own lines: progress, a short summary, the HTML report."""
