"""Short display names for the models of a report, whose full names may be long and alike."""

from collections.abc import Collection, Mapping
from os.path import commonprefix

from pytest_llmeval.core.text import one_line
from pytest_llmeval.reports.text_width import squeezed

__all__ = ["distinct_names", "model_words"]

_LONG = 40


def distinct_names(models: Collection[str]) -> dict[str, str]:
    """Return the display name of each of several models; empty if there is only one.

    If a name is longer than 40 characters, the options and the path's folders that all names share are left out.
    """
    names = {model: one_line(model) for model in models}
    if len(names) < 2:
        return {}
    if max(map(len, names.values())) <= _LONG:
        return names
    options = {name.partition("?")[2] for name in names.values()}
    if len(options) == 1:
        names = {model: name.partition("?")[0] for model, name in names.items()}
    folders = commonprefix([*names.values()]).rpartition("/")[0]
    start = len(folders) + 1 if folders and "://" not in folders else 0
    return {model: name[start:] for model, name in names.items()}


def model_words(model: str | None, names: Mapping[str, str]) -> str:
    """Return `` on MODEL`` with the display name of a model; an empty text if there is only one."""
    return f" on {squeezed(names.get(model, one_line(model)), _LONG)}" if names and model else ""
