"""A session that asks no model: every call is answered, or fails, as the same call of another run did."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from pytest_llmeval.core.calls import answered, ask_name, failed
from pytest_llmeval.core.errors import CallError, ErrorKind, StoreError
from pytest_llmeval.core.types import Call, CaseKey
from tests.support.engine_parts import Rig, ask, broken, say
from tests.support.virtual_time import run_virtual


@dataclass
class Known:
    """The calls of another run."""

    run_id: str = "old"
    calls: dict[tuple[CaseKey, str], Call] = field(default_factory=dict)
    fault: StoreError | None = None

    def find(self, case: CaseKey, name: str, request: Mapping[str, Any]) -> Call | None:
        if self.fault is not None:
            raise self.fault
        return self.calls.get((case, name))


@pytest.mark.parametrize("role", ["model", "judge"])
def test_an_answer_of_the_other_run_is_told_again_and_costs_nothing(role: Literal["model", "judge"]) -> None:
    async def body() -> None:
        asked = ask(role=role)
        name = ask_name(asked)
        known = Known(calls={(asked.case, name): answered(asked, say("yes", latency_s=2.0), name)})
        rig = Rig(recorded=known)
        response = await rig.engine.ask(asked)
        assert (response.text, response.cached, response.cost_usd, response.latency_s) == ("yes", True, 0.0, 2.0)
        assert (rig.engine.counts.cached, rig.engine.counts.answered) == (1, 0)
        assert (rig.opened, rig.journal.kept) == ([], [])
        await rig.engine.aclose()

    run_virtual(body())


def test_a_failed_call_fails_again() -> None:
    async def body() -> None:
        asked = ask()
        name = ask_name(asked)
        rig = Rig(recorded=Known(calls={(asked.case, name): failed(asked, broken(ErrorKind.TIMEOUT), name)}))
        with pytest.raises(CallError, match="^it broke$") as caught:
            await rig.engine.ask(asked)
        assert (caught.value.kind, caught.value.attempts) == (ErrorKind.TIMEOUT, 0)
        await rig.engine.aclose()

    run_virtual(body())


def test_another_request_has_no_answer() -> None:
    async def body() -> None:
        asked = ask()
        name = ask_name(asked)
        rig = Rig(recorded=Known(calls={(asked.case, name): answered(asked, say(), name)}))
        for other in (ask(text="else"), ask(epoch=2), ask(nth=2), ask(params={"seed": 1})):
            with pytest.raises(CallError, match="run old holds no answer to this request") as caught:
                await rig.engine.ask(other)
            assert caught.value.kind == ErrorKind.NOT_CACHED
        assert rig.opened == []
        await rig.engine.aclose()

    run_virtual(body())


def test_a_database_that_cannot_be_read_ends_the_session() -> None:
    async def body() -> None:
        rig = Rig(recorded=Known(fault=StoreError("gone")))
        with pytest.raises(CallError) as caught:
            await rig.engine.ask(ask())
        assert caught.value.kind == ErrorKind.STORAGE
        assert [str(fault) for fault in rig.faults] == ["gone"]
        await rig.engine.aclose()

    run_virtual(body())
