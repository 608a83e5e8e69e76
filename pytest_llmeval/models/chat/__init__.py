"""Models behind OpenAI's chat completions protocol, which most servers support."""
