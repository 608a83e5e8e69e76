"""Models behind Anthropic's Messages API: chats are translated into its format, and its answers back."""
