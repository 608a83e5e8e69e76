"""What is public: the names of the two packages, and a user's file that is made of them alone."""

from pathlib import Path

import pytest

import pytest_llmeval
import pytest_llmeval.scorers
from tests.support.project import Project

USER_FILE = Path(__file__).with_name("user_eval.py")


def test_the_public_names_of_the_package() -> None:
    assert pytest_llmeval.__all__ == [
        "CallError",
        "CaseError",
        "Endpoint",
        "ErrorKind",
        "Likelihood",
        "LlmevalError",
        "Message",
        "Model",
        "Request",
        "Response",
        "Sample",
        "Score",
        "ScoreBook",
        "Scored",
        "ScorerError",
        "ToolCall",
        "Usage",
        "UserError",
        "__version__",
        "anthropic_client",
        "async_anthropic_client",
        "async_openai_client",
        "model_endpoint",
        "openai_client",
        "scorer",
    ]


def test_the_public_names_of_the_scorers() -> None:
    assert pytest_llmeval.scorers.__all__ == [
        "REGISTRY",
        "Registry",
        "ScoreBook",
        "Scored",
        "Scorer",
        "accepted_answers",
        "choice",
        "contains",
        "exact",
        "explain",
        "json_match",
        "json_schema",
        "json_valid",
        "numeric",
        "regex",
        "scorer",
        "scorer_digest",
        "token_f1",
        "tool_calls",
    ]


@pytest.mark.parametrize("name", pytest_llmeval.__all__)
def test_a_public_name_can_be_imported(name: str) -> None:
    assert getattr(pytest_llmeval, name) is not None


@pytest.mark.parametrize("name", pytest_llmeval.scorers.__all__)
def test_a_public_name_of_the_scorers_can_be_imported(name: str) -> None:
    assert getattr(pytest_llmeval.scorers, name) is not None


def test_a_name_that_is_not_public_is_not_there() -> None:
    with pytest.raises(AttributeError, match=r"module 'pytest_llmeval' has no attribute 'Sampel'"):
        getattr(pytest_llmeval, "Sampel")  # noqa: B009  # mypy knows that there is none


def test_the_package_says_that_it_is_typed() -> None:
    assert Path(pytest_llmeval.__file__).with_name("py.typed").exists()


def test_the_users_file_runs(project: Project) -> None:
    """So that what type-checks is an eval, and not only a file."""
    project.write(evals__test_user_py=USER_FILE.read_text("utf-8"))
    project.run("evals", fresh=True).assert_outcomes(passed=8)
