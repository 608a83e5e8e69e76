"""Models behind OpenAI's Responses API: chats are translated into its format, and its answers back."""
