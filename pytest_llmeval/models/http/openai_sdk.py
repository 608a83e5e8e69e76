"""OpenAI's SDK for ``sdk_transport``, which uses it for calls through a proxy.

Importing this module imports the SDK.
"""

import openai

from pytest_llmeval.models.http.sdk_transport import Sdk

__all__ = ["openai_sdk"]


def openai_sdk(path: str) -> Sdk:
    """Return the SDK for requests to ``path``, which is appended to an account's base URL."""
    return Sdk(openai, openai.AsyncOpenAI, path)
