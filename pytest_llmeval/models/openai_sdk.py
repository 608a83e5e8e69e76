"""OpenAI's SDK, as ``sdk_transport`` uses it for calls through a proxy.

Importing this module imports the SDK.
"""

import openai

from pytest_llmeval.models.sdk_transport import Sdk
from pytest_llmeval.models.wire import CHAT_PATH

__all__ = ["OPENAI_SDK"]

OPENAI_SDK = Sdk(openai, openai.AsyncOpenAI, CHAT_PATH)
