"""The fixtures that an eval asks for. Each exists under a short name, which a project's own fixture may take."""

from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmeval.bridge.items import CURRENT

if TYPE_CHECKING:
    from pytest_llmeval.bridge.handles import CaseModel
    from pytest_llmeval.bridge.items import CaseNow
    from pytest_llmeval.core.types import Model, Response, Sample
    from pytest_llmeval.scorers import ScoreBook

__all__ = ["FIXTURE_NAMES"]

FIXTURE_NAMES = ("sample", "response", "model", "judge", "score")


def _now(name: str) -> "CaseNow":
    now = CURRENT.get()
    if now is None:
        pytest.fail(
            f"fixture {name!r} belongs to evals: mark the test with @pytest.mark.llmeval(dataset)", pytrace=False
        )
    return now


@pytest.fixture
def llmeval_sample() -> "Sample":
    """The dataset row of this case: id, input, target, slices, marks, metadata."""
    return _now("sample").run.sample


@pytest.fixture
def llmeval_model() -> "Model":
    """The model under test: ``await model.generate()`` in async evals, ``model.generate_sync()`` in others."""
    from pytest_llmeval.bridge.handles import CaseModel

    run, param, calls = _now("model")
    return CaseModel(param.model, calls.asker, eval_=param.eval, run=run, loop=calls.loop)


@pytest.fixture
def llmeval_response(llmeval_model: "CaseModel") -> "Response":
    """The model's answer to the prompt of this case, requested ahead of time."""
    return llmeval_model.respond()


@pytest.fixture
def llmeval_judge() -> None:
    """The judge model: None, since without one there is no judge."""
    _now("judge")


@pytest.fixture
def llmeval_score() -> "ScoreBook":
    """The scorers of this case: ``score.json_match(response, target)``; every result is recorded."""
    return _now("score").run.book


@pytest.fixture
def sample(llmeval_sample: "Sample") -> "Sample":
    """The dataset row of this case (llmeval_sample)."""
    return llmeval_sample


@pytest.fixture
def model(llmeval_model: "Model") -> "Model":
    """The model under test (llmeval_model)."""
    return llmeval_model


@pytest.fixture
def response(llmeval_response: "Response") -> "Response":
    """The model's answer to the prompt of this case (llmeval_response)."""
    return llmeval_response


@pytest.fixture
def judge(llmeval_judge: Any) -> Any:
    """The judge model (llmeval_judge)."""
    return llmeval_judge


@pytest.fixture
def score(llmeval_score: "ScoreBook") -> "ScoreBook":
    """The scorers of this case (llmeval_score)."""
    return llmeval_score
