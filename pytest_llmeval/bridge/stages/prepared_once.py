"""The preparation of a session with evals: made when the first eval that was asked for is met, or not at all."""

from typing import TYPE_CHECKING

import pytest

from pytest_llmeval.bridge.workers import MeantRuns
from pytest_llmeval.core.errors import SettingsError

if TYPE_CHECKING:
    from pytest_llmeval.bridge.preparation import Preparation

__all__ = ["PreparedOnce"]


class PreparedOnce:
    """Holds the preparation, so that a session without evals is spared settings, rules, models and their imports."""

    def __init__(self, config: pytest.Config, meant_runs: MeantRuns | None) -> None:
        """Remember; nothing is looked at. ``meant_runs`` is what the controller told this worker."""
        self._config = config
        self._meant_runs = meant_runs
        self.made: Preparation | None = None
        """What ``get`` made; None until an eval was asked for, and where the settings are wrong."""
        self.settings_problems: list[str] = []
        """What is wrong with the settings: where anything is, nothing can be prepared."""

    def get(self) -> "Preparation | None":
        """Return the preparation, made now if need be; None where the settings are wrong."""
        if self.made is None and not self.settings_problems:
            from pytest_llmeval.bridge.preparation import Preparation

            try:
                self.made = Preparation(self._config, self._meant_runs)
            except SettingsError as error:
                self.settings_problems = [str(error)]
        return self.made

    @property
    def was_asked(self) -> bool:
        """Whether ``get`` was called: an eval was asked for, or a run to go on with."""
        return self.made is not None or bool(self.settings_problems)

    @property
    def problems_before_selection(self) -> list[str]:
        """What is known to be wrong before the cases are selected."""
        return self.made.problems_before_selection if self.made is not None else self.settings_problems
