"""The fixtures that an eval asks for. Each exists under a short name, which a project's own fixture may take."""

from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmeval.bridge.casework.items import CURRENT

if TYPE_CHECKING:
    from pytest_llmeval.bridge.casework.cases import CaseParam, CaseRun
    from pytest_llmeval.bridge.casework.handles import CaseModel
    from pytest_llmeval.bridge.casework.items import CaseNow
    from pytest_llmeval.bridge.casework.runtime import Runtime
    from pytest_llmeval.core.protocols import Model
    from pytest_llmeval.core.types import Response, Sample
    from pytest_llmeval.scorers import ScoreBook

__all__ = [
    "FIXTURE_NAMES",
    "chosen_fixture",
    "failing_fixtures",
    "give_way",
    "is_made_here",
    "is_ours",
    "judge_of",
    "notes_of_shadowed",
    "put_failing_first",
    "uses",
]

FIXTURE_NAMES = ("sample", "response", "model", "judge", "score")
_GIVING_WAY = (*FIXTURE_NAMES, "training")
"""The short names, each of which a project may define for itself."""


def uses(item: pytest.Item, name: str) -> bool:
    """Whether a test uses this plugin's fixture ``name``, under its long or its short name."""
    names = getattr(item, "fixturenames", ())
    return any(each in names and is_ours(item, each) for each in (f"llmeval_{name}", name))


def is_ours(item: pytest.Item, name: str) -> bool:
    """Whether the fixture ``name`` of a test is this plugin's, and not one of the project's with that name."""
    chosen = chosen_fixture(item, name)
    return chosen is not None and is_made_here(chosen)


def is_made_here(definition: pytest.FixtureDef[Any]) -> bool:
    """Whether a fixture is one of this module's."""
    return definition.func.__module__ == __name__


def notes_of_shadowed(item: pytest.Item) -> list[str]:
    """Return a note for each of our short fixture names that the project defines for itself.

    Names count only if this test uses the project's fixture, or ours under its long name.
    """
    taken = [name for name in FIXTURE_NAMES if _is_taken(item, name)]
    return [f"fixture {name!r} comes from the project; the plugin's is llmeval_{name}" for name in taken]


def _is_taken(item: pytest.Item, name: str) -> bool:
    chosen = chosen_fixture(item, name)
    if chosen is None and chosen_fixture(item, f"llmeval_{name}") is not None:
        manager = item.session._fixturemanager  # nothing public tells what a test would get under a name
        chosen = next(reversed(manager.getfixturedefs(name, item) or ()), None)
    return chosen is not None and not is_made_here(chosen)


def give_way(session: pytest.Session) -> None:
    """Let any other session-wide fixture win over ours of the same name, whichever was registered first.

    Of two plugins' fixtures pytest takes the one that was registered last, and the module of ``-p MODULE`` is
    registered before any installed plugin.
    """
    kept = vars(session._fixturemanager)  # nothing public orders fixtures
    by_name: dict[str, Any] = kept.get("_arg2node2fixturedefs") or kept.get("_arg2fixturedefs", {})
    for name in _GIVING_WAY:
        found = by_name.get(name, [])
        if isinstance(found, dict):  # since pytest 9.2, with the strongest of a node first; before, with it last
            for definitions in found.values():
                definitions.sort(key=_belongs_to_us)
        else:
            found.sort(key=_belongs_to_us, reverse=True)


def _belongs_to_us(definition: pytest.FixtureDef[Any]) -> bool:
    return str(getattr(definition.func, "__module__", "")).startswith("pytest_llmeval.bridge.")


def chosen_fixture(item: pytest.Item, name: str) -> pytest.FixtureDef[Any] | None:
    """Return the definition that a test uses for a fixture name; None if it asks for no fixture of that name."""
    found = getattr(item, "_fixtureinfo").name2fixturedefs.get(name)  # noqa: B009 - nothing public tells who defines it
    return found[-1] if found else None


def failing_fixtures(item: pytest.Item) -> frozenset[str]:
    """Return the fixtures of a test that cannot be set up: nobody defines them, or a fixture that they ask for.

    The setup of such a test must fail. Names that a plugin adds to ``fixturenames`` are not checked: the plugin may
    define the fixture later.
    """
    info = getattr(item, "_fixtureinfo")  # noqa: B009 - nothing public tells what a test asks for itself
    if all(name in info.name2fixturedefs or name == "request" for name in info.names_closure):
        return frozenset()  # the case for nearly every test
    held = set(info.names_closure)  # a parameter may have replaced a fixture
    chosen = {name: set(found[-1].argnames) for name, found in info.name2fixturedefs.items() if name in held}
    unknown = set(info.initialnames).union(*chosen.values()) - {"request", *chosen}
    by_unknown = {name for name, asked in chosen.items() if unknown & asked}
    return frozenset(by_unknown | unknown.intersection(info.initialnames))


def put_failing_first(item: pytest.Item) -> None:
    """Make a setup that must fail do so before it asks for a response, which nobody would use."""
    if failing := failing_fixtures(item):
        names: list[str] = getattr(item, "fixturenames")  # noqa: B009 - as above
        names.sort(key=lambda name: name not in failing)


def _now(name: str) -> "CaseNow":
    now = CURRENT.get()
    if now is None:
        pytest.fail(
            f"fixture {name!r} belongs to evals: mark the test with @pytest.mark.llmeval(dataset)", pytrace=False
        )
    return now


def _model(name: str) -> "CaseModel":
    from pytest_llmeval.bridge.casework.handles import CaseModel

    run, param, runtime = _now(name)
    if run.model is None:
        run.model = CaseModel(param.model, runtime, eval_=param.eval, run=run)
    return run.model


def judge_of(run: "CaseRun", param: "CaseParam", runtime: "Runtime") -> "CaseModel | None":
    """Return the judge model bound to a case; None if there is no judge."""
    from pytest_llmeval.bridge.casework.handles import CaseModel

    if not runtime.judges.jurors:
        return None
    name = runtime.judges.jurors[0].model.name
    return CaseModel(name, runtime, eval_=param.eval, run=run, role="judge")


# The short names do not ask for the long ones: each fixture that pytest sets up takes 0.05 ms.


@pytest.fixture
def llmeval_sample() -> "Sample":
    """The dataset row of this case: id, input, target, slices, marks, metadata."""
    return _now("llmeval_sample").run.sample


@pytest.fixture
def llmeval_model() -> "Model":
    """The model under test: ``await model.generate()`` in async evals, ``model.generate_sync()`` in others."""
    return _model("llmeval_model")


@pytest.fixture
def llmeval_response() -> "Response":
    """The model's answer to the prompt of this case, requested ahead of time."""
    return _model("llmeval_response").respond()


@pytest.fixture
def llmeval_judge() -> "Model | None":
    """The judge model, to be asked as ``model`` is; None without ``--judge-model``."""
    return judge_of(*_now("llmeval_judge"))


@pytest.fixture
def llmeval_score() -> "ScoreBook":
    """The scorers of this case: ``score.json_match(response, target)``; every result is recorded."""
    return _now("llmeval_score").run.book


@pytest.fixture
def sample() -> "Sample":
    """The dataset row of this case (llmeval_sample)."""
    return _now("sample").run.sample


@pytest.fixture
def model() -> "Model":
    """The model under test (llmeval_model)."""
    return _model("model")


@pytest.fixture
def response() -> "Response":
    """The model's answer to the prompt of this case (llmeval_response)."""
    return _model("response").respond()


@pytest.fixture
def judge() -> "Model | None":
    """The judge model (llmeval_judge)."""
    return judge_of(*_now("judge"))


@pytest.fixture
def score() -> "ScoreBook":
    """The scorers of this case (llmeval_score)."""
    return _now("score").run.book
