"""What may be spent: never more than the limit while prices are what they were."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.engine.budget import Budget

prices = st.floats(0.0, 1.0)


class Spender:
    """A budget whose calls to one model end in the order in which they began."""

    def __init__(self, max_cost_usd: float | None) -> None:
        self.budget = Budget(max_cost_usd)
        self._aside: list[float] = []

    def start(self, bound_usd: float | None = None) -> bool:
        """Return whether a call went."""
        aside = self.budget.start("m", bound_usd)
        if aside is not None:
            self._aside.append(aside)
        return aside is not None

    def end(self, cost_usd: float | None, *, is_answered: bool | None = None) -> None:
        """End the oldest call; one without a cost was not answered, unless it is said."""
        answered = cost_usd is not None if is_answered is None else is_answered
        self.budget.end("m", self._aside.pop(0), cost_usd, "answered" if answered else "none")

    @property
    def spent_usd(self) -> float:
        return self.budget.spent_usd

    @property
    def is_used_up(self) -> bool:
        return self.budget.is_used_up


def used_up(budget: Spender, bound_usd: float | None = None) -> CallError:
    """Return the error with which the budget refuses a call."""
    with pytest.raises(CallError) as caught:
        budget.start(bound_usd)
    return caught.value


def test_what_a_cheap_model_costs_says_nothing_of_a_dear_one() -> None:
    budget = Budget(1.0)
    aside = budget.start("cheap")
    assert aside == 0.0
    budget.end("cheap", aside, 0.01)
    assert [budget.start("dear"), budget.start("dear"), budget.start("cheap")] == [0.0, None, 0.01]
    budget.end("dear", 0.0, 0.4)
    assert [budget.start("dear"), budget.start("dear"), budget.start("cheap")] == [0.4, None, 0.01]


def test_without_a_limit_every_call_goes() -> None:
    budget = Spender(None)
    assert all(budget.start() for _ in range(100))
    for cost in (0.5, None, 0.25):
        budget.end(cost)
    assert budget.start()


def test_until_the_first_price_is_known_one_call_goes_alone() -> None:
    budget = Spender(1.0)
    assert budget.start()
    assert not budget.start()
    budget.end(None)  # it failed, and told no price
    assert budget.start()
    assert not budget.start()
    budget.end(0.1)
    assert [budget.start() for _ in range(9)] == [True] * 9


def test_calls_in_flight_count_as_the_dearest_so_far() -> None:
    budget = Spender(1.0)
    for cost in (0.1, 0.3, 0.2):
        assert budget.start()
        budget.end(cost)
    assert [budget.start(), budget.start()] == [True, False]


def test_a_call_that_was_cheaper_makes_room_for_another() -> None:
    budget = Spender(1.0)
    assert budget.start()
    budget.end(0.4)
    assert [budget.start(), budget.start()] == [True, False]
    budget.end(0.1)
    assert budget.start()


def test_a_limit_that_is_reached_stays_reached() -> None:
    """Of a model whose answers have no bound; a lower limit of tokens would give it one."""
    budget = Spender(0.5)
    assert budget.start()
    budget.end(0.3)
    error = used_up(budget)
    assert (error.kind, error.attempts) == (ErrorKind.BUDGET, 0)
    assert str(error) == (
        "not asked: it may cost $0.3000, as the dearest so far, and $0.2000 of --max-cost $0.5000 are left;"
        " max_tokens bounds what it may cost"
    )
    assert used_up(budget).kind == ErrorKind.BUDGET


def test_a_small_budget_is_told_in_its_own_digits() -> None:
    budget = Spender(0.00002)
    assert budget.start()
    budget.end(0.00002)
    assert str(used_up(budget)) == "not asked: $0.00002 of --max-cost $0.00002 are spent"


def test_what_does_not_cover_one_model_may_cover_another() -> None:
    """Answers that were paid for are judged as long as their judge fits."""
    budget = Budget(0.5)
    budget.end("m", budget.start("m") or 0.0, 0.3)
    for _ in range(2):
        with pytest.raises(CallError):
            budget.start("m")
        assert budget.start("judge", 0.1) == 0.1
        budget.end("judge", 0.1, 0.1)
    with pytest.raises(CallError, match=r"\$0.5000 of --max-cost \$0.5000 are spent"):
        budget.start("judge", 0.1)
    assert budget.is_used_up


def test_once_money_is_short_a_model_that_told_nothing_yet_goes_only_where_a_long_answer_fits() -> None:
    """However many ask: before that its first call goes with what there is."""
    budget = Budget(0.5)
    budget.end("m", budget.start("m", None, 0.7) or 0.0, 0.3)
    with pytest.raises(CallError, match="as the dearest so far"):
        budget.start("m", None, 0.7)
    with pytest.raises(CallError, match=r"may cost \$0\.7000, with an answer of 1,024 tokens, and \$0\.2000 of"):
        budget.start("dear judge", None, 0.7)
    assert [budget.start(name, None, 0.15) for name in ("j", "k", "j")] == [0.15, None, None]
    budget.end("j", 0.15, 0.01)
    assert [budget.start(name, None, 0.15) for name in ("k", "j", "j", "j", "j", "free")] == [0.15, *4 * [0.01], None]
    assert budget.start("free", 0.0) == 0.0


def test_what_costs_nothing_goes_on_when_all_is_spent() -> None:
    budget = Budget(0.5)
    budget.end("m", budget.start("m") or 0.0, 0.7)
    with pytest.raises(CallError, match="are spent"):
        budget.start("m")
    with pytest.raises(CallError, match="are spent"):
        budget.start("unknown")
    assert budget.start("free", 0.0) == 0.0


def test_prices_that_add_up_to_the_limit_are_all_paid() -> None:
    """Ten times 0.1 is a little less than 1, and three times a little more than 0.3."""
    for calls, limit in ((3, 0.3), (10, 1.0), (7, 0.7)):
        budget = Spender(limit)
        for _ in range(calls):
            assert budget.start()
            budget.end(limit / calls)
        assert used_up(budget).kind == ErrorKind.BUDGET


def test_models_that_cost_nothing_are_never_held_up() -> None:
    """Their calls are known to cost nothing before the first of them goes."""
    budget = Spender(0.0)
    for _ in range(3):
        assert budget.start(0.0)
        budget.end(0.0)
    assert "$0.0000 of --max-cost $0.0000 are spent" in str(used_up(budget))
    assert [budget.start(0.0) for _ in range(50)] == [True] * 50


@given(limit=st.floats(0.0, 5.0), price=st.floats(0.001, 1.0), steps=st.lists(st.booleans(), max_size=100))
def test_at_one_price_no_more_is_spent_than_the_limit_and_the_first_call(
    limit: float, price: float, steps: list[bool]
) -> None:
    """Whenever calls start and end."""
    budget, in_flight = Spender(limit), 0
    for starts in steps:
        if starts:
            try:
                in_flight += budget.start()
            except CallError:
                assert in_flight == 0
        elif in_flight:
            in_flight -= 1
            budget.end(price)
    for _ in range(in_flight):
        budget.end(price)
    assert budget.spent_usd <= max(limit, price) + 1e-6


@given(limit=st.floats(0.0, 5.0), costs=st.lists(prices, min_size=1, max_size=60))
def test_a_limit_is_passed_by_less_than_the_last_and_dearest_call(limit: float, costs: list[float]) -> None:
    budget, spent = Spender(limit), 0.0
    for cost in costs:
        try:
            assert budget.start()
        except CallError:
            break
        assert spent <= limit + 1e-6
        budget.end(cost)
        spent += cost
    assert budget.spent_usd == pytest.approx(spent)


def test_bounded_calls_go_together_from_the_first_on() -> None:
    budget = Spender(1.0)
    assert [budget.start(0.4), budget.start(0.4), budget.start(0.4)] == [True, True, False]
    budget.end(0.1)
    assert budget.start(0.4)


def test_a_bound_above_what_is_left_refuses_its_own_call_alone() -> None:
    """Another one may cost less; what is left is told, and what would make it suffice."""
    budget = Spender(1.0)
    assert [budget.start(0.3), budget.start(0.9)] == [True, False]  # the first may come to less
    budget.end(0.25)
    error = used_up(budget, 0.9)
    assert (error.kind, error.attempts) == (ErrorKind.BUDGET, 0)
    assert str(error) == (
        "not asked: it may cost $0.9000, and $0.7500 of --max-cost $1.0000 are left;"
        " a lower max_tokens lowers what it may cost"
    )
    assert not budget.is_used_up
    small = Spender(0.0005)
    assert small.start(0.0004)
    small.end(0.00041)
    told = "it may cost $0.00014, and $0.00009 of --max-cost $0.00050 are left; "  # in digits that tell them apart
    assert told in str(used_up(small, 0.00014))
    assert budget.start(0.75)
    budget.end(0.75)
    assert str(used_up(budget, 0.1)) == "not asked: $1.0000 of --max-cost $1.0000 are spent"
    assert budget.is_used_up


@given(limit=st.floats(0.0, 5.0), calls=st.lists(st.tuples(prices, prices, st.booleans()), max_size=60))
@example(limit=0.0, calls=[(1.0, 0.0, False), (0.0, 0.0, False), (1.0, 0.0, False)])
def test_calls_that_keep_their_bounds_never_exceed_the_limit(
    limit: float, calls: list[tuple[float, float, bool]]
) -> None:
    """Whenever they start and end, and however many are in flight; none is refused beside one that may make room."""
    budget, in_flight = Spender(limit), list[tuple[float, float]]()
    for bound, share, ends in calls:
        try:
            if budget.start(bound):
                in_flight.append((bound, bound * share))
        except CallError:  # a cheaper one may still go
            assert not any(may_cost for may_cost, _ in in_flight)
        if ends and in_flight:
            budget.end(in_flight.pop(0)[1])
    for _, cost in in_flight:
        budget.end(cost)
    assert budget.spent_usd <= limit + 1e-6


def test_an_answer_of_unknown_cost_ends_what_can_be_spent() -> None:
    """A limit that cannot be watched must not look as though it were kept."""
    budget = Spender(1.0)
    assert budget.start()
    budget.end(None, is_answered=True)
    assert "did not say how many tokens" in str(used_up(budget))
