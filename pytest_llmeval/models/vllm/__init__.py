"""``vllm:`` models: a vLLM server for each base of a session, with all its adapters that the session uses."""
