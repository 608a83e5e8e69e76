"""The models that a session asks, chosen at collection without opening any."""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.check import check_model
from pytest_llmeval.models.choice import choose_judges, choose_models, default_models
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.models.prices import priced
from pytest_llmeval.models.unread_files import MODELS_FILE, refuse_unread

if TYPE_CHECKING:
    from pytest_llmeval.bridge.config.settings import Settings
    from pytest_llmeval.models.price_list import PriceList

__all__ = ["chosen_judges", "chosen_models", "listed_models"]


def chosen_models(settings: "Settings", named: Mapping[str, NamedModel], *, to_be_asked: bool) -> dict[str, NamedModel]:
    """Return the models under test by name: ``--model``, else the embedded one if its extra is installed.

    Args:
        settings: of the session.
        named: the models of models.yaml.
        to_be_asked: whether keys and extras must be there; a session that only lists its cases needs none.

    Raises:
        ModelError: a spec or models.yaml is wrong, a key or an extra is missing, or two models have one name.
    """
    specs = settings.models or default_models()
    chosen = choose_models(specs, named, environ=settings.environ, check=_check(settings, to_be_asked))
    return _priced(chosen, settings)


def chosen_judges(
    settings: "Settings", named: Mapping[str, NamedModel], under_test: Mapping[str, NamedModel], *, to_be_asked: bool
) -> dict[str, NamedModel]:
    """Return the judge models that ``--judge-model`` names, by name; empty without it, as there is no default.

    Args:
        settings: of the session.
        named: the models of models.yaml.
        under_test: the models under test, by name.
        to_be_asked: whether their keys and extras must be there.

    Raises:
        ModelError: a spec is wrong, a key or an extra is missing, a judge is under test itself, or another model has
            its name.
    """
    chosen = choose_judges(
        settings.judge_models,
        named,
        under_test,
        may_judge_itself=settings.allow_self_judge,
        environ=settings.environ,
        check=_check(settings, to_be_asked),
    )
    return _priced(chosen, settings)


def _check(settings: "Settings", to_be_asked: bool) -> Callable[[NamedModel], None]:
    def check(model: NamedModel) -> None:
        if to_be_asked:
            check_model(model, settings.environ, transport=settings.transport, is_asked=settings.makes_calls)

    return check


def _priced(chosen: Mapping[str, NamedModel], settings: "Settings") -> dict[str, NamedModel]:
    own = own_prices(settings) if chosen else None
    return {name: priced(model, settings.environ, own) for name, model in chosen.items()}


def own_prices(settings: "Settings") -> "PriceList | None":
    """Return the price list of the option ``--llmeval-prices``; None without it."""
    if settings.prices is None:
        return None
    from pytest_llmeval.loaders.strict_yaml import load_strict
    from pytest_llmeval.models.price_list import price_list

    return price_list(load_strict(settings.prices, error=ModelError, shown_as=settings.shown(settings.prices)))


def listed_models(settings: "Settings") -> dict[str, NamedModel]:
    """Return the models of ``models.yaml`` in the rootdir by name; empty if there is no such file.

    Raises:
        ModelError: the file is wrong, or a file that is not read may define a model that a person names.
    """
    refuse_unread((*settings.models, *settings.judge_models), settings.rootdir)
    path = settings.rootdir / MODELS_FILE
    if not os.path.lexists(path):  # a dangling link is a mistake, and reported
        return {}
    from pytest_llmeval.loaders.strict_yaml import load_strict
    from pytest_llmeval.models.models_file import named_models

    return named_models(load_strict(path, error=ModelError, shown_as=path.name))
