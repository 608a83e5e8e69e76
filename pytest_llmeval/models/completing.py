"""One call, whoever the vendor: tried under the policy, secrets taken out, priced."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from pytest_llmeval.core.costs import Prices, cost_usd
from pytest_llmeval.core.errors import CallError
from pytest_llmeval.core.types import Response, ToolCall
from pytest_llmeval.models.redaction import AnswerRedactor, Redactor
from pytest_llmeval.models.retry import RetryPolicy, Slot, call_with_retries

__all__ = ["Completing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Completing:
    """What the calls to one model have in common."""

    place: str
    """Model and host, as messages name them."""
    prices: Prices | None
    policy: RetryPolicy
    slot: Slot
    redact: Redactor
    redact_answer: AnswerRedactor

    async def complete(self, attempt: Callable[[], Awaitable[Response]]) -> Response:
        """Return what ``attempt`` returns in the end, with attempts, latency and cost, or raise CallError."""
        try:
            response = await call_with_retries(attempt, policy=self.policy, slot=self.slot)
        except CallError as error:
            message = f"{self.place}: {self.redact(str(error))}"
            raise CallError(
                message,
                kind=error.kind,
                attempts=error.attempts,
                latency_s=error.latency_s,
                param=error.param,
                usages=error.usages,
            ) from None
        return replace(
            response,
            text=self.redact_answer(response.text),
            tool_calls=tuple(
                ToolCall(name=self.redact_answer(each.name), arguments=self.redact_answer(each.arguments))
                for each in response.tool_calls
            ),
            refusal=response.refusal and self.redact_answer(response.refusal),
            cost_usd=cost_usd(self.prices, response.usage),
        )
