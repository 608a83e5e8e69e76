"""Reports on stored runs: terminal text, Markdown, HTML, exports and traces."""
