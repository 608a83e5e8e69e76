"""Everything that a session with evals needs, made once: settings, rules, models, earlier runs."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_llmeval.bridge.collection.collect import CaseMaker
from pytest_llmeval.bridge.collection.only_shown import only_shows
from pytest_llmeval.bridge.collection.parameter_sets import secret_sets
from pytest_llmeval.bridge.config.model_choice import chosen_judges, chosen_models, listed_models
from pytest_llmeval.bridge.config.settings import resolve
from pytest_llmeval.bridge.records.interrupts import Interrupts
from pytest_llmeval.bridge.workers import MeantRuns, Place
from pytest_llmeval.core.errors import UserError
from pytest_llmeval.core.rules import REGRESSION_KINDS, Thresholds
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.store.check import check_database

if TYPE_CHECKING:
    from pytest_llmeval.bridge.collection.sizes import Sizes
    from pytest_llmeval.bridge.records.rescoring import Rescored
    from pytest_llmeval.bridge.records.resuming import Resumed
    from pytest_llmeval.store.baselines import FoundBaseline

__all__ = ["Preparation"]

_SAID = re.compile(
    r"(?:\b(?:raised|found) |\b(?:cannot be (?:loaded|read)|no such folder|not a Parquet file): ).*", re.DOTALL
)
"""The part of a dataset problem that quotes text from elsewhere; the part before it has names only, also of files."""


class Preparation:
    """What a session needs, made at its first selected eval; ``problems`` gathers the user's mistakes."""

    def __init__(self, config: pytest.Config, meant_runs: MeantRuns | None) -> None:
        """Read the settings, find the earlier runs, load the rules and choose the models.

        Args:
            config: of the session.
            meant_runs: in an xdist worker, the earlier runs that the controller means; None elsewhere.

        Raises:
            SettingsError: an option makes no sense, so that nothing else can be checked.
        """
        Interrupts.watch(config)
        self.config = config
        place, self._baseline = meant_runs or (None, None)  # the id of the run to compare with, once it is known
        self.resumed: Resumed | None = None
        self.rescored: Rescored | None = None
        self.problems: list[str] = []
        self.models: dict[str, NamedModel] = {}
        """The models under test, by name."""
        self.judges: dict[str, NamedModel] = {}
        self.listed: dict[str, NamedModel] = {}
        """The models of models.yaml, by name."""
        self.settings = resolve(config)
        with self._gathering_problems():
            check_database(self.settings.db, to_write=not only_shows(config))
            self._find_earlier(place)
        knows_earlier = not self.problems
        self.thresholds = Thresholds()
        """The rules; empty if there is no file, or a wrong one."""
        with self._gathering_problems():
            self.thresholds = self._load_thresholds()
        with self._gathering_problems():
            self._choose_models()
        self.sizes = self._make_sizes()
        """Counts rows for the regression rules; None if there is no such rule."""
        self.maker = CaseMaker(self.settings, models=list(self.models) or self._unasked(), sized=self._is_sized)
        if self.models:
            self.thresholds = replace(self.thresholds, models=frozenset(self.models))
        if knows_earlier:
            self.problems += self.baseline_problems(lambda found: [])

    @contextmanager
    def _gathering_problems(self) -> Iterator[None]:
        """Keep a mistake of the user's and go on, so that all of them are shown at once."""
        try:
            yield
        except UserError as error:
            self.problems.append(str(error))

    @property
    def earlier(self) -> "Resumed | Rescored | None":
        """The run that is resumed, or the run whose answers are scored again; None without either."""
        return self.resumed or self.rescored

    @property
    def meant_runs(self) -> MeantRuns:
        """The earlier runs that this session means, for its workers."""
        return self.earlier.place if self.earlier is not None else None, self._baseline

    @property
    def problems_before_selection(self) -> list[str]:
        """The problems that are known before the cases are selected."""
        return [*self.problems, *self.case_problems]

    @property
    def case_problems(self) -> list[str]:
        """Why functions or rows have no cases, with secrets redacted: the message of code that raised may quote one."""
        if not self.maker.problems:
            return []
        from pytest_llmeval.models.redaction import Redactor

        redact = Redactor(self.secrets)
        return [_SAID.sub(lambda told: redact(told.group()), problem) for problem in self.maker.problems]

    def refuse_secrets(self, items: list[pytest.Item]) -> bool:
        """Remove cases whose names contain a secret, before anybody sees them; return whether there were any."""
        if found := dict(secret_sets(items, self.secrets)):
            self.problems += found.values()
            items[:] = [item for item in items if item not in found]
        return bool(found)

    @property
    def secrets(self) -> list[str]:
        """The values that must not be shown anywhere."""
        from pytest_llmeval.models.keys import known_secrets

        return known_secrets(self.settings.environ, self.asked.values())

    @property
    def is_sharded(self) -> bool:
        """Whether this session runs only one shard of the evals that were collected."""
        return self.settings.shard is not None and bool(self.maker.readings)

    def may_have(self, suite: str) -> bool:
        """Whether the run may have cases of a suite although this session runs none of them."""
        if self.resumed is not None and self.resumed.settings.resume_changed and suite in self.resumed.run.suites:
            return True
        return self.is_sharded

    @property
    def asked(self) -> dict[str, NamedModel]:
        """All models that are asked, by name: those under test and the judges."""
        return {**self.judges, **self.models}

    @property
    def asks_judges(self) -> bool:
        """Whether judges may be asked: when answers are scored again, only judges that a person names are."""
        return self.rescored is None or self.rescored.asks_judges

    def met_models(self) -> frozenset[str]:
        """Return the models of all earlier runs, as far as the database can be read."""
        from pytest_llmeval.bridge.records.earlier_runs import current_reader

        try:
            with current_reader(self.settings.db) as reader:
                return frozenset(model for run in (reader.runs() if reader is not None else ()) for model in run.models)
        except UserError:  # reported elsewhere
            return frozenset()

    def _find_earlier(self, place: Place | None) -> None:
        """Find the run to resume or to score again, and take over its settings."""
        settings = self.settings
        if settings.rescore is not None:
            from pytest_llmeval.bridge.records.rescoring import find_rescored

            judges = self.config.getoption("llmeval_judge_model")
            self.rescored = find_rescored(settings, settings.rescore, place, judges=judges or ())
            self.settings = self.rescored.settings
        elif settings.resume is not None:
            from pytest_llmeval.bridge.records.resuming import find_resumed

            self.resumed = find_resumed(settings, settings.resume, place)
            self.settings = self.resumed.settings

    def _choose_models(self) -> None:
        """Find the models and the judges; raise UserError at the first judge that is wrong."""
        settings, is_run = self.settings, not only_shows(self.config)
        self.listed = listed_models(settings)
        with self._gathering_problems():
            if self.rescored is not None:
                self.models = self.rescored.models()
            else:
                self.models = chosen_models(settings, self.listed, to_be_asked=is_run)
        self.judges = chosen_judges(settings, self.listed, self.models, to_be_asked=is_run and self.asks_judges)

    def _is_sized(self, suite: str) -> bool:
        """Whether the slices and clusters of a suite's rows are kept."""
        has_other_rows = self.resumed is not None and self.settings.resume_changed
        return has_other_rows or (self.sizes is not None and self.sizes.matter(suite))

    def _unasked(self) -> list[str]:
        """Return model names without checking that the models can be asked, as node ids contain them."""
        try:
            return list(chosen_models(self.settings, self.listed, to_be_asked=False))
        except UserError:  # reported already
            return ["none"]

    def _make_sizes(self) -> "Sizes | None":
        kinds = {rule.kind for suite in self.thresholds.suites.values() for rule in suite.rules}
        if kinds.isdisjoint(REGRESSION_KINDS):
            return None
        from pytest_llmeval.bridge.collection.sizes import Sizes

        return Sizes(self.thresholds)

    def _load_thresholds(self) -> Thresholds:
        settings = self.settings
        if not os.path.lexists(settings.thresholds) and not settings.thresholds_given:
            return Thresholds()
        from pytest_llmeval.loaders.thresholds import load_thresholds

        return load_thresholds(settings.thresholds, shown_as=settings.shown(settings.thresholds))

    def baseline_problems(self, look: "Callable[[FoundBaseline], list[str]]") -> list[str]:
        """Return the problems of the baseline, and those that ``look`` finds in it; empty if there is no baseline.

        A baseline in a database of an older version is checked when the run begins; so is the baseline of a resumed
        run, which may have had it under a name that has moved on since.
        """
        settings, thresholds = self.settings, self.thresholds
        if self.resumed is not None or (settings.baseline is None and thresholds.baseline is None):
            return []
        from pytest_llmeval.bridge.records.earlier_runs import current_reader
        from pytest_llmeval.store.baseline_choice import choose_baseline

        try:
            with current_reader(settings.db, db_option=settings.db_option) as reader:
                if reader is None and settings.db.exists():
                    return []
                given = self._baseline or settings.baseline
                choice = choose_baseline(given, thresholds, reader=reader, root=settings.rootdir)
                if choice.is_given and choice.found is not None and choice.found.kind == "run":
                    self._baseline = choice.found.spec
                return look(choice.found) if choice.found is not None else []
        except UserError as error:
            return [str(error)]
