"""Scorers: functions that judge one output, and the book in which their scores are recorded."""

from pytest_llmeval.scorers.answers import accepted_answers
from pytest_llmeval.scorers.book import ScoreBook
from pytest_llmeval.scorers.choices import choice
from pytest_llmeval.scorers.digests import scorer_digest
from pytest_llmeval.scorers.failure_text import explain
from pytest_llmeval.scorers.json_scorers import json_match, json_valid
from pytest_llmeval.scorers.numeric_answers import numeric
from pytest_llmeval.scorers.patterns import regex
from pytest_llmeval.scorers.registry import REGISTRY, Registry, Scorer, scorer
from pytest_llmeval.scorers.schema_scorer import json_schema
from pytest_llmeval.scorers.scored import Scored
from pytest_llmeval.scorers.texts import contains, exact, token_f1
from pytest_llmeval.scorers.tool_scorer import tool_calls

__all__ = [
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
