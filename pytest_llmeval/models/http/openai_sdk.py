"""OpenAI's SDK, as ``sdk_transport`` uses it for calls through a proxy.

Importing this module imports the SDK.
"""

import openai

from pytest_llmeval.models.http.sdk_transport import Sdk

__all__ = ["openai_sdk"]


def openai_sdk(path: str) -> Sdk:
    """Return the SDK, for requests to ``path`` behind an account's URL."""
    return Sdk(openai, openai.AsyncOpenAI, path)
