"""What the models of a report are called in it, where their names are long and begin or end alike."""

from collections.abc import Collection, Mapping
from os.path import commonprefix

from pytest_llmeval.core.text import one_line
from pytest_llmeval.reports.text_width import squeezed

__all__ = ["model_words", "told_apart"]

_LONG = 40


def told_apart(models: Collection[str]) -> dict[str, str]:
    """Return what each of several models is called; nothing where there is only one.

    That is its name, of paths without the folders that all are in and without the options that all have, where a name
    is longer than 40 characters.
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
    """Return on which of the models ``names`` something is; nothing where there is only one."""
    return f" on {squeezed(names.get(model, one_line(model)), _LONG)}" if names and model else ""
