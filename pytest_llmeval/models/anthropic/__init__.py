"""Models that are asked by the Messages API of Anthropic: chats in its words, its answers read as those of a chat."""
