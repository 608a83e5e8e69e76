"""Models that are asked by the Responses API of OpenAI: chats in its words, and its answers read as those of a chat."""
