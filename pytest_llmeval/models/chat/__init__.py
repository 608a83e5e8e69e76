"""Models that are asked by the chat completions protocol of OpenAI, which most servers speak."""
