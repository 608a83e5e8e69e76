"""Anthropic's SDK for ``sdk_transport``, which uses it for every call.

Importing this module imports the SDK.
"""

import anthropic

from pytest_llmeval.models.http.sdk_transport import Sdk
from pytest_llmeval.models.http.transport import MESSAGES_PATH

__all__ = ["ANTHROPIC_SDK"]

API_VERSION = "2023-06-01"

ANTHROPIC_SDK = Sdk(
    anthropic,
    anthropic.AsyncAnthropic,
    MESSAGES_PATH,
    headers={"Anthropic-Version": API_VERSION},
    open_telemetry=False,  # no tracing
)
