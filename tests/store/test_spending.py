"""What the calls of a run came to, as every store tells it."""

from dataclasses import replace

from pytest_llmeval.store.records import Spending
from tests.support.any_store import Store
from tests.support.records import call, record
from tests.support.stored_runs import run


def spent(
    role: str,
    model: str,
    *,
    cost_usd: float | None,
    calls: int = 1,
    tokens: tuple[int | None, int | None] = (10, 5),
    known: tuple[int, int] = (10, 5),
) -> Spending:
    """Return what the calls to a model came to."""
    return Spending(
        role=role,
        model=model,
        calls=calls,
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        known_input_tokens=known[0],
        known_output_tokens=known[1],
        cost_usd=cost_usd,
    )


def test_what_was_spent_is_told_by_role_and_model(store: Store) -> None:
    """Failed calls cost what is known of them; cached ones cost nothing and took no tokens; unknown stays unknown."""
    store.start_run(run("r"))
    cached = call(name="c-1", cached=True, cost_usd=0.0)
    failed = call(name="d-1", status="timeout", response=None, cost_usd=None, input_tokens=None, output_tokens=None)
    store.add_case("r", record("a", calls=(call(name="a-1"), call("judge", name="b-1", model="j"), cached, failed)))
    store.add_case("r", record("b", calls=(call(name="a-1", model="free", cost_usd=None),)))
    filtered = replace(failed, status="filtered", cost_usd=0.25)
    for outcome in ("error", "passed"):
        store.add_case(
            "r",
            record(
                "c",
                outcome=outcome,
                error_kind="filtered" if outcome == "error" else None,
                calls=(filtered, replace(filtered, name="e-1", model="only", cost_usd=0.0)),
            ),
        )
    assert store.spending("r") == [
        spent("model", "free", calls=1, cost_usd=None),
        spent("model", "m", calls=2, cost_usd=1.0),
        spent("judge", "j", calls=1, cost_usd=0.5),
    ]


def test_what_was_paid_is_told_though_its_case_ran_again(store: Store) -> None:
    """Also where it did not wait for that answer again."""
    store.start_run(run("r"))
    store.add_case("r", record(outcome="error", error_kind="code", calls=(call(name="a-1"),)))
    given_up = call(name="a-1", status="interrupted", response=None, cost_usd=None)
    store.add_case("r", record(calls=(given_up, call(name="b-1"))))
    (spending,) = store.spending("r")
    assert (spending.calls, spending.cost_usd) == (2, 1.0)


def test_tokens_that_a_server_did_not_tell_are_unknown_and_not_0(store: Store) -> None:
    """What it told of the other answers is known; answers from the cache took none, whatever was told of them."""
    store.start_run(run("r"))
    mute = call(name="a-1", input_tokens=None, output_tokens=None, cost_usd=None)
    cached = replace(mute, name="c-1", model="again", cached=True, cost_usd=0.0)
    half = replace(mute, name="d-1", model="half", input_tokens=3)
    silent = replace(mute, name="e-1", model="none")
    store.add_case("r", record("a", calls=(mute, call(name="b-1"), cached, half, silent)))
    assert store.spending("r") == [
        spent("model", "again", tokens=(0, 0), known=(0, 0), cost_usd=0.0),
        spent("model", "half", tokens=(3, None), known=(3, 0), cost_usd=None),
        spent("model", "m", calls=2, tokens=(None, None), cost_usd=None),
        spent("model", "none", tokens=(None, None), known=(0, 0), cost_usd=None),
    ]
