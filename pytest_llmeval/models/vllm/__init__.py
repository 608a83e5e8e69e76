"""``vllm:`` models: a server of vLLM for each base of a session, with the adapters that the session asks."""
