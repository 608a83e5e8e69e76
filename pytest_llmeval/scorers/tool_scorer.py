"""The tool_calls scorer: which tools a model called, and with which arguments."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pytest_llmeval.core.errors import ScorerError
from pytest_llmeval.core.strict_json import NotJsonError
from pytest_llmeval.core.types import Response
from pytest_llmeval.scorers.answers import text_of
from pytest_llmeval.scorers.display import first_few, shown, visible_line
from pytest_llmeval.scorers.json_compare import compare_json
from pytest_llmeval.scorers.json_rules import Rules
from pytest_llmeval.scorers.json_scorers import declared_rules, plain_json
from pytest_llmeval.scorers.json_text import parse_json
from pytest_llmeval.scorers.pairing import most_pairs
from pytest_llmeval.scorers.registry import shipped
from pytest_llmeval.scorers.scored import Scored

__all__ = ["tool_calls"]

SHOWN_CALLS = 5
SHOWN_ARGUMENTS = 3
_KEYS = {"name", "arguments"}
_FORM = "{'name': ..., 'arguments': {...}}"


class _Wanted(NamedTuple):
    """A call that the target asks for."""

    name: str
    arguments: Any
    any_arguments: bool
    """Whether the target names no arguments, so that any are accepted."""


class _Made(NamedTuple):
    """A call that the model made."""

    name: str
    arguments: Any


@shipped(version=1, stem="tool")
def tool_calls(
    response: Response | Sequence[Response] | str,
    target: Any,
    *,
    ordered: bool = False,
    unordered: Iterable[str] = (),
    ignore: Iterable[str] = (),
    tolerance: float | Mapping[str, float] = 0.0,
    dates: Iterable[str] = (),
    date_formats: Sequence[str] = (),
    date_tolerance_days: float = 0.0,
    casefold: bool = False,
) -> Scored:
    """Return the share of right tool calls: those of the target that were made, out of all calls of either side.

    The share is 1 if and only if the calls are exactly those of the target. A call is right if the tool's name equals
    the target's, character for character, and its arguments do not differ by the rules of ``json_match``. Each call of
    the answer matches at most one of the target. ``tool_names`` (``N_names`` with ``name=N``) records the same share
    for the names alone, and never makes the case a miss.

    Args:
        response: a Response, a list of them (``model.responses``: all responses of a case, step by step), or a text
            that is the JSON of the calls, in the form of the target.
        target: the calls, a list of ``{"name": text, "arguments": object}``; without ``arguments`` any are accepted. A
            single call may be given without a list, and a name alone instead of its object. An empty list means that no
            tool may be called. The arguments of a custom tool are a text.
        ordered: True counts only calls in the order of the target (the longest common subsequence).
        unordered: paths into the arguments, as for all settings below; see ``json_match``.
        ignore: arguments that are not compared.
        tolerance: the largest allowed difference between numbers.
        dates: arguments compared as dates.
        date_formats: ``strptime`` formats for dates besides ISO 8601.
        date_tolerance_days: the largest allowed difference between dates, in days.
        casefold: ignore case in texts; tool names are always compared as they are.

    Raises:
        ScorerError: if the response, the target or a setting is of another type.
    """
    rules = declared_rules(unordered, ignore, tolerance, dates, date_formats, date_tolerance_days, casefold)
    wanted = _wanted(target)
    try:
        made = _made(response)
    except NotJsonError as error:
        return Scored(0.0, f"not JSON: {error}", {"names": 0.0})
    pair = _in_order if ordered else _in_any_order
    right = pair(wanted, made, lambda one, other: _agree(one, other, rules))
    named = pair(wanted, made, _same_tool)
    share, names = _share(right, wanted, made), _share(named, wanted, made)
    return Scored(share, _told(wanted, made, right, response, rules) if share < 1 else None, {"names": names})


def _wanted(target: Any) -> list[_Wanted]:
    """Return the calls of a target; raise ScorerError if it contains anything else."""
    if target is None:
        raise ScorerError("the target is None: the row has no target, or the test did not pass it; [] expects no call")
    calls = [target] if isinstance(target, str | Mapping) else target
    if not isinstance(calls, list | tuple):
        raise ScorerError(f"the target must be a list of tool calls, {_FORM}; found {shown(calls, 80)}")
    return [_wanted_call(call) for call in calls]


def _wanted_call(call: Any) -> _Wanted:
    said = {"name": call} if isinstance(call, str) else call
    if not isinstance(said, Mapping) or not isinstance(said.get("name"), str) or said.keys() - _KEYS:
        raise ScorerError(f"the target holds {shown(call, 80)}; a tool call is {_FORM}, or a name alone")
    arguments = said.get("arguments")
    return _Wanted(said["name"], _read(plain_json(arguments)), any_arguments=arguments is None)


def _made(response: Any) -> list[_Made]:
    """Return the calls that the model made.

    Raises:
        NotJsonError: if a text is not the JSON of tool calls.
        ScorerError: if ``response`` is neither a Response, nor a list of them, nor a text.
    """
    answers = [response] if isinstance(response, Response) else response
    if isinstance(answers, list | tuple) and all(isinstance(each, Response) for each in answers):
        return [_Made(call.name, _read(call.arguments)) for answer in answers for call in answer.tool_calls]
    told = parse_json(text_of(response), fenced=True)
    return [_told_call(each) for each in (told if isinstance(told, list) else [told])]


def _read(arguments: Any) -> Any:
    """Return arguments as a JSON value: text that is not JSON stays text, and missing arguments are an empty object."""
    if not arguments:
        return {}
    try:
        return parse_json(arguments, fenced=False) if isinstance(arguments, str) else arguments
    except NotJsonError:
        return arguments


def _told_call(value: Any) -> _Made:
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise NotJsonError(f"{shown(value, 80)} is not a tool call, which is {_FORM}")
    return _Made(value["name"], _read(value.get("arguments")))


def _agree(wanted: _Wanted, made: _Made, rules: Rules) -> bool:
    if not _same_tool(wanted, made):
        return False
    return wanted.any_arguments or not compare_json(wanted.arguments, made.arguments, rules).differences


def _same_tool(wanted: _Wanted, made: _Made) -> bool:
    return wanted.name == made.name


def _in_any_order(
    wanted: Sequence[_Wanted], made: Sequence[_Made], agree: Callable[[_Wanted, _Made], bool]
) -> list[tuple[int, int]]:
    """Return the largest set of pairs of positions whose calls agree, each position used at most once."""
    found: list[tuple[int, int]] = []
    for name in dict.fromkeys(each.name for each in wanted):
        rows = [at for at, each in enumerate(wanted) if each.name == name]
        columns = [at for at, each in enumerate(made) if each.name == name]
        found += most_pairs({row: [each for each in columns if agree(wanted[row], made[each])] for row in rows})
    return found


def _in_order(
    wanted: Sequence[_Wanted], made: Sequence[_Made], agree: Callable[[_Wanted, _Made], bool]
) -> list[tuple[int, int]]:
    """Return the positions of a longest common subsequence."""
    lengths = [[0] * (len(made) + 1) for _ in range(len(wanted) + 1)]
    same = [[agree(one, other) for other in made] for one in wanted]
    for row in reversed(range(len(wanted))):
        for column in reversed(range(len(made))):
            lengths[row][column] = (
                lengths[row + 1][column + 1] + 1
                if same[row][column]
                else max(lengths[row + 1][column], lengths[row][column + 1])
            )
    found, row, column = [], 0, 0
    while row < len(wanted) and column < len(made):
        if same[row][column]:
            found.append((row, column))
            row, column = row + 1, column + 1
        elif lengths[row + 1][column] >= lengths[row][column + 1]:
            row += 1
        else:
            column += 1
    return found


def _share(pairs: Sequence[tuple[int, int]], wanted: Sequence[_Wanted], made: Sequence[_Made]) -> float:
    """Return the pairs as a share of all calls of either side, each pair counted once; 1 if there are no calls."""
    total = len(wanted) + len(made) - len(pairs)
    return len(pairs) / total if total else 1.0


def _told(
    wanted: Sequence[_Wanted], made: Sequence[_Made], right: Sequence[tuple[int, int]], response: Any, rules: Rules
) -> str:
    """Return what differs, call by call; for a call with the wrong arguments, which of them."""
    met, used = {row for row, _ in right}, {column for _, column in right}
    missing = [each for at, each in enumerate(wanted) if at not in met]
    surplus = [each for at, each in enumerate(made) if at not in used]
    lines = []
    for one in missing:
        alike = [each for each in surplus if _same_tool(one, each)]
        near = next((each for each in alike if _agree(one, each, rules)), alike[0] if alike else None)
        if near is not None:
            surplus.remove(near)
        lines.append(_difference(one, near, rules))
    lines += [f"not expected: {_shown_call(each)}" for each in surplus]
    if not made and isinstance(response, Response):
        lines.append(f"no tool was called; the answer is {shown(response.text, 120)}")
    count = f"{len(right)} of {len(wanted) + len(made) - len(right)} tool calls right"
    return f"{count}\n{first_few(lines, SHOWN_CALLS, total=len(lines))}"


def _difference(wanted: _Wanted, made: _Made | None, rules: Rules) -> str:
    if made is None:
        return f"missing: {_shown_call(wanted)}"
    found = [] if wanted.any_arguments else compare_json(wanted.arguments, made.arguments, rules).differences
    if not found:
        return f"out of order: {_shown_call(made)}"
    message = "; ".join(map(str, found[:SHOWN_ARGUMENTS]))
    return f"{made.name}: {message}" + (
        f"; + {len(found) - SHOWN_ARGUMENTS} more" if len(found) > SHOWN_ARGUMENTS else ""
    )


def _shown_call(call: _Wanted | _Made) -> str:
    any_arguments = isinstance(call, _Wanted) and call.any_arguments
    return visible_line(call.name, 80) + ("" if any_arguments else f" {shown(call.arguments, 120)}")
