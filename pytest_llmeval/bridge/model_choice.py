"""Which models a session asks, decided at collection: light, nothing is opened."""

import importlib.util
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.check import check_model
from pytest_llmeval.models.named import NamedModel, resolve_model
from pytest_llmeval.models.prices import priced

if TYPE_CHECKING:
    from pytest_llmeval.bridge.settings import Settings
    from pytest_llmeval.models.price_list import PriceList

__all__ = ["chosen_judges", "chosen_models", "listed_models"]

_DEFAULT = "local:smollm2"


def chosen_models(settings: "Settings", named: Mapping[str, NamedModel], *, to_be_asked: bool) -> dict[str, NamedModel]:
    """Return the models under test by name: ``--model``, else the embedded one where its extra is installed.

    Args:
        settings: of the session.
        named: the models of models.yaml.
        to_be_asked: whether their keys and extras must be there; a session that only lists its cases needs none.

    Raises:
        ModelError: a spec or models.yaml is wrong, a key or an extra is missing, or two models have one name.
    """
    chosen: dict[str, NamedModel] = {}
    own = own_prices(settings)
    for text in settings.models or _default():
        model = resolve_model(text, named)
        if to_be_asked:
            check_model(model, settings.environ, transport=settings.transport, is_asked=settings.makes_calls)
        if model.name in chosen:
            raise ModelError(f"two models are called {model.name!r}; give one of them another name in models.yaml")
        chosen[model.name] = priced(model, settings.environ, own)
    return chosen


def chosen_judges(
    settings: "Settings", named: Mapping[str, NamedModel], under_test: Mapping[str, NamedModel], *, to_be_asked: bool
) -> dict[str, NamedModel]:
    """Return the judge models by name: what ``--judge-model`` names; none without it, there is no default.

    Args:
        settings: of the session.
        named: the models of models.yaml.
        under_test: the models under test, by name.
        to_be_asked: whether their keys and extras must be there.

    Raises:
        ModelError: a spec is wrong, a key or an extra is missing, one is under test itself, or another model has its
            name.
    """
    chosen: dict[str, NamedModel] = {}
    for text in settings.judge_models:
        judge = resolve_model(text, named)
        if to_be_asked:
            check_model(judge, settings.environ, transport=settings.transport, is_asked=settings.makes_calls)
        if judge.name in chosen:
            raise ModelError(
                f"--judge-model: two judges are called {judge.name!r}; give one of them another name in models.yaml"
            )
        _check_apart(judge, under_test, may_judge_itself=settings.allow_self_judge)
        chosen[judge.name] = priced(judge, settings.environ, own_prices(settings))
    return chosen


def _check_apart(judge: NamedModel, under_test: Mapping[str, NamedModel], *, may_judge_itself: bool) -> None:
    twin = under_test.get(judge.name)
    if twin is not None and twin.spec != judge.spec:
        raise ModelError(
            f"--judge-model: {judge.name!r} is the name of a model under test, too; give one of them another name in"
            " models.yaml"
        )
    if not may_judge_itself and any(model.spec == judge.spec for model in under_test.values()):
        raise ModelError(
            f"--judge-model: {judge.name!r} is under test itself, and a model thinks too well of its own answers; name"
            " another judge, or allow it with --llmeval-allow-self-judge"
        )


def own_prices(settings: "Settings") -> "PriceList | None":
    """Return the list of the option ``--llmeval-prices``; None where it is not given."""
    if settings.prices is None:
        return None
    from pytest_llmeval.loaders.strict_yaml import load_strict
    from pytest_llmeval.models.price_list import price_list

    document = load_strict(settings.prices, error=ModelError, shown_as=settings.shown(settings.prices))
    return price_list(document.data, document.shown_as, document.line_of)


def listed_models(settings: "Settings") -> dict[str, NamedModel]:
    """Return the models of ``models.yaml`` in the rootdir by name; none where there is no such file."""
    path = settings.rootdir / "models.yaml"
    if not path.exists():
        return {}
    from pytest_llmeval.loaders.strict_yaml import load_strict
    from pytest_llmeval.models.models_file import named_models

    document = load_strict(path, error=ModelError, shown_as=path.name)
    return named_models(document.data, path.name, document.line_of)


def _default() -> tuple[str, ...]:
    if importlib.util.find_spec("xllamacpp") is None:
        raise ModelError(
            "no model: pass --model=SPEC (such as --model=gpt-4o-mini), or install the embedded one with"
            " pip install 'pytest-llmeval[local]'"
        )
    return (_DEFAULT,)
