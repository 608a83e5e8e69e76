"""Answers of a tiny model: alone and in batches, greedy and drawn, and where they end."""

import asyncio
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import torch

from pytest_llmeval.core.draws import DRAW
from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.types import Request
from pytest_llmeval.models.hf import answering, caches, host
from pytest_llmeval.models.hf.answering import AnswerJob
from pytest_llmeval.models.hf.caches import Prompts, read
from pytest_llmeval.models.hf.forward import forward, left_padded
from pytest_llmeval.models.hf.host import HfModels
from pytest_llmeval.models.hf.prompt_date import PINNED
from pytest_llmeval.models.weights_spec import WeightsSpec
from tests.support.asking_hf import answers, opened, refusal
from tests.support.tiny_llama import make_model

TEXTS = ["hi " * size for size in (1, 7, 2, 30, 4, 11)]
GREEDY: dict[str, Any] = {"max_tokens": 12}
DRAWN: dict[str, Any] = {"max_tokens": 12, "temperature": 1.0, "top_p": 0.9}


def test_a_batch_says_what_each_request_alone_is_told(models: HfModels, base: Path) -> None:
    model = opened(models, f"hf:{base}")
    together = answers(model, TEXTS)
    assert [each.text for each in together] == [answers(model, [text])[0].text for text in TEXTS]
    assert len({each.text for each in together}) > 3


def test_drawn_answers_do_not_depend_on_their_neighbours(models: HfModels, base: Path) -> None:
    """Each request draws by a seed of its own; so a greedy one beside them stays greedy."""
    model = opened(models, f"hf:{base}")
    params = [DRAWN, GREEDY, *[DRAWN] * 4]
    together = answers(model, TEXTS, params)
    alone = [answers(model, [text], [each])[0].text for text, each in zip(TEXTS, params, strict=True)]
    assert [each.text for each in together] == alone
    assert together[0].text != answers(model, TEXTS[:1])[0].text


def test_seeds_and_repetitions_are_draws_of_their_own(models: HfModels, base: Path) -> None:
    """Epochs of one row differ at one seed, and are the same in every session."""
    model = opened(models, f"hf:{base}")
    seeds = [{**DRAWN, "seed": seed} for seed in (0, 1, 0)]
    first, other, again = (each.text for each in answers(model, ["hi"] * 3, seeds))
    assert first == again != other

    def second_epoch() -> str:
        token = DRAW.set("2-1")
        try:
            return answers(model, ["hi"], [DRAWN])[0].text
        finally:
            DRAW.reset(token)

    assert second_epoch() == second_epoch() != first


def test_a_draw_follows_the_distribution() -> None:
    """Of 4,000 draws at temperature 1 and under top_p, each token's share is its probability."""
    from pytest_llmeval.models.hf.drawing import Draws
    from pytest_llmeval.models.hf.params import Sampling

    shares = torch.tensor([0.5, 0.3, 0.15, 0.05])
    for top_p, expected in ((1.0, shares), (0.75, torch.tensor([0.625, 0.375, 0.0, 0.0]))):
        sampling = Sampling(max_tokens=1, temperature=1.0, top_p=top_p, seed=0, stop=())
        draws = Draws([sampling] * 4000, range(4000), "cpu")
        chosen = draws(None, shares.log().repeat(4000, 1)).argmax(dim=-1)
        found = torch.bincount(chosen, minlength=4) / 4000
        assert torch.allclose(found, expected, atol=0.03)


def test_a_cold_draw_is_greedy(models: HfModels, base: Path) -> None:
    model = opened(models, f"hf:{base}")
    cold = answers(model, TEXTS, [{"max_tokens": 12, "temperature": 1e-4}] * len(TEXTS))
    assert [each.text for each in cold] == [each.text for each in answers(model, TEXTS)]


def test_tokens_are_counted_and_the_answer_is_cut_at_max_tokens(models: HfModels, base: Path) -> None:
    short, long = answers(opened(models, f"hf:{base}"), ["hi", "hi"], [{"max_tokens": 3}, {"max_tokens": 9}])
    assert (short.finish_reason, short.usage.output_tokens) == ("length", 3)
    assert long.text.startswith(short.text)
    assert short.usage.input_tokens and short.usage.input_tokens > 3
    assert (short.cost_usd, short.attempts, short.model) == (0.0, 1, str(base))
    assert short.latency_s is not None and long.latency_s is not None and 0 < short.latency_s <= long.latency_s


def test_an_answer_ends_before_a_stop_text(models: HfModels, base: Path) -> None:
    """Wherever in the tokens the text begins; one row's end is not the others'."""
    model = opened(models, f"hf:{base}")
    whole = answers(model, TEXTS)
    stop = whole[0].text[3:6]
    cut, *others = answers(model, TEXTS, [{"max_tokens": 12, "stop": ["never", stop]}, *[{"max_tokens": 12}] * 5])
    assert cut.text == whole[0].text[: whole[0].text.index(stop)]
    assert cut.finish_reason == "stop"
    assert cut.usage.output_tokens is not None and cut.usage.output_tokens < 12
    assert [each.text for each in others] == [each.text for each in whole[1:]]


def test_the_end_of_the_turn_ends_an_answer(models: HfModels, base: Path) -> None:
    """Whichever token the model says it ends with: here the one that it likes best."""
    model = opened(models, f"hf:{base}")
    loaded = models.find(model._weights)  # type: ignore[attr-defined]
    first = loaded.chat.tokens(answers(model, ["hi"], [{"max_tokens": 1}])[0].text)
    loaded.chat.stop_tokens = frozenset(first)
    ended = answers(model, ["hi"])[0]
    assert (ended.text, ended.finish_reason, ended.usage.output_tokens) == ("", "stop", 1)


def test_a_prompt_that_does_not_fit_is_refused_and_an_answer_ends_with_the_context(
    models: HfModels, base: Path
) -> None:
    model = opened(models, f"hf:{base}")
    error = refusal(model, "hi " * 600, max_tokens=5)
    assert error.kind == ErrorKind.BAD_REQUEST
    assert "and the model reads 512 at most" in str(error)
    nearly = next(text for size in range(500, 0, -1) if 500 < len(prompt_of(models, text := "hi " * size)) < 511)
    cut = answers(model, [nearly], [{"max_tokens": 300}])[0]
    assert cut.finish_reason == "length"
    assert (cut.usage.input_tokens or 0) + (cut.usage.output_tokens or 0) == 512


def prompt_of(models: HfModels, text: str) -> list[int]:
    loaded = next(iter(models._models.values()))
    return loaded.chat.prompt([{"role": "user", "content": text}])


def test_an_answer_that_takes_too_long_is_a_timeout(models: HfModels, base: Path) -> None:
    """The wait for a batch is not part of it."""
    error = refusal(opened(models, f"hf:{base}", timeout_s=0.01), max_tokens=300)
    assert error.kind == ErrorKind.TIMEOUT
    assert "no complete answer within 0.01 s" in str(error)


def test_an_answer_that_nobody_waits_for_is_not_written_on(
    models: HfModels, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupt or a broken session cancels the call: its row ends with the next token, the batch with it."""
    model = opened(models, f"hf:{base}")
    began = threading.Event()
    tokens: list[int] = []
    take = answering._Row.take

    def noted(row: Any, token: int) -> None:
        began.set()
        tokens.append(token)
        take(row, token)

    async def give_up() -> None:
        request = Request(messages=({"role": "user", "content": "hi"},), params={"max_tokens": 400})
        call = asyncio.create_task(model.complete(request))
        await asyncio.to_thread(began.wait)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    monkeypatch.setattr(answering._Row, "take", noted)
    asyncio.run(give_up())
    assert answers(model, ["hi"], [{"max_tokens": 1}])[0].finish_reason == "length"
    assert len(tokens) < 400


def test_out_of_memory_halves_the_batch(models: HfModels, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are the same in smaller batches."""
    model = opened(models, f"hf:{base}")
    expected = [each.text for each in answers(model, TEXTS)]
    whole, sizes = answering.answer, []

    def scarce(model: Any, chat: Any, jobs: Sequence[AnswerJob]) -> None:
        sizes.append(len(jobs))
        if len(jobs) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 17.00 GiB")
        whole(model, chat, jobs)

    monkeypatch.setattr(host, "answer", scarce)
    monkeypatch.setattr(models._batcher, "_gather_s", 1.0)
    assert [each.text for each in answers(model, TEXTS)] == expected
    assert sizes[0] == 6
    assert set(sizes[1:]) <= {1, 2, 3, 4, 5}


def test_memory_bounds_a_batch(models: HfModels, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = opened(models, f"hf:{base}")
    whole, sizes = answering.answer, []

    def noted(model: Any, chat: Any, jobs: Sequence[AnswerJob]) -> None:
        sizes.append(len(jobs))
        whole(model, chat, jobs)

    monkeypatch.setattr(host, "answer", noted)
    per_token = host.bytes_per_token(models._models[model._weights].base.model.config, 4)  # type: ignore[attr-defined, union-attr]
    monkeypatch.setattr(host, "free_bytes", lambda device: 2 * 100 * per_token)
    answers(model, TEXTS)
    assert sum(sizes) == len(TEXTS)
    assert len(sizes) > 2


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}], "text only, not a part of type"),
        ([{"role": "user", "content": ["hi"]}], "text only, not a part of type None"),
        (
            [{"role": "user", "content": None}],
            "the content of a message of 'user' must be a string or a list of parts, found None",
        ),
        (
            [{"role": "user", "content": {"a": 1}}],
            "the content of a message of 'user' must be a string or a list of parts, found {'a': 1}",
        ),
        ([{"role": "wizard", "content": "hi"}], "chat template does not take these messages: no wizards"),
    ],
)
def test_messages_that_cannot_be_read_are_refused(
    models: HfModels, tmp_path: Path, messages: list[Any], problem: str
) -> None:
    template = "{% if messages[0]['role'] == 'wizard' %}{{ raise_exception('no wizards') }}{% endif %}x"
    error = refusal(opened(models, f"hf:{make_model(tmp_path / 'm', template=template)}"), messages, max_tokens=2)
    assert (error.kind, error.param) == (ErrorKind.BAD_REQUEST, "messages")
    assert problem in str(error)


@pytest.mark.parametrize("call", [{"content": None}, {}])
def test_an_assistant_that_only_called_a_tool_said_nothing(
    models: HfModels, tmp_path: Path, call: dict[str, Any]
) -> None:
    """A template tells it from a text; a model without one is given nothing for it."""
    template = "{% for message in messages %}[{{ message['content'] or 'called' }}]{% endfor %}"
    messages: Any = [{"role": "user", "content": "hi"}, {"role": "assistant", **call}, {"role": "user", "content": "x"}]
    for name, own, expected in (("m", template, "[hi][called][x]"), ("base", "", "hi\n\n\n\nx")):
        folder = make_model(tmp_path / name, template=own)
        loaded = models.find(opened(models, f"hf:{folder}")._weights)  # type: ignore[attr-defined]
        assert loaded.chat.text(loaded.chat.prompt(messages)) == expected


def test_parts_of_text_are_joined(models: HfModels, base: Path) -> None:
    model = opened(models, f"hf:{base}")
    parts = [{"role": "user", "content": [{"type": "text", "text": "h"}, {"type": "text", "text": "i"}]}]
    assert answers(model, [parts])[0].text == answers(model, ["hi"])[0].text  # type: ignore[list-item]


@pytest.mark.parametrize("clock", ["{{ strftime_now('%d %b %Y') }}", "{{ date_string }}"])
@pytest.mark.parametrize("start", ["", "\n"])
def test_no_prompt_holds_todays_date(models: HfModels, tmp_path: Path, clock: str, start: str) -> None:
    """Both ways in which templates know the day: a run of tomorrow sends the same prompts."""
    folder = make_model(tmp_path / "m", template=f"{start}today is {clock}: {{{{ messages[0]['content'] }}}}")
    opened(models, f"hf:{folder}")
    loaded = next(iter(models._models.values()))
    assert loaded.chat.text(prompt_of(models, "hi")) == f"{start}today is 26 Jul 2024: hi"


def test_the_pinned_day_is_told_in_english_whatever_the_locale_is() -> None:
    day = datetime(2024, 7, 26)
    assert {key: day.strftime(f"%{key}") for key in PINNED} == PINNED


def test_a_model_without_a_template_is_given_plain_text(models: HfModels, tmp_path: Path) -> None:
    """A base model knows no roles; the report at its loading says so."""
    folder = make_model(tmp_path / "m", template="")
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    opened(models, f"hf:{folder}")
    loaded = next(iter(models._models.values()))
    assert not loaded.chat.has_template
    tokens = loaded.chat.prompt([{"role": "system", "content": "a"}, {"role": "user", "content": "b"}])
    assert loaded.chat.text(tokens) == "a\n\nb"


def test_a_shared_beginning_is_read_once_and_changes_nothing(
    models: HfModels, base: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Instructions and worked examples stand at the beginning of every row's prompt."""
    texts = ["the capital of France is Paris " * 4 + text for text in TEXTS]
    for spec in (f"hf:{base}", f"hf:{base}+{adapter}"):
        model = opened(models, spec)
        once = [each.text for each in answers(model, texts)]
        with monkeypatch.context() as patch:
            patch.setattr(answering, "read", as_they_are)
            assert [each.text for each in answers(model, texts)] == once


def test_reading_what_prompts_share_counts_as_time_of_each(
    models: HfModels, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the latency, and under the time limit: a long beginning can take longer than all that follows."""

    def slowly(*given: Any) -> Any:
        time.sleep(0.3)
        return read(*given)

    monkeypatch.setattr(answering, "read", slowly)
    found = answers(opened(models, f"hf:{base}"), ["hi", "hello"], [{"max_tokens": 1}] * 2)
    assert all(each.latency_s is not None and each.latency_s >= 0.3 for each in found)
    assert refusal(opened(models, f"hf:{base}", timeout_s=0.2), max_tokens=3).kind == ErrorKind.TIMEOUT


def test_what_is_read_once_is_all_that_the_prompts_begin_with(models: HfModels, base: Path) -> None:
    """The last token of a prompt is read with its row, and one row or a short beginning is not worth it."""
    opened(models, f"hf:{base}")
    model = models._models[WeightsSpec(base=str(base))]._base.model
    begin = list(range(5, 45))
    assert read_tokens(model, [begin, [*begin, 7, 8]]) == 39
    assert read_tokens(model, [[*begin, 1, 2], [*begin, 2, 1]]) == 40
    assert read_tokens(model, [begin]) == 0
    assert read_tokens(model, [begin[:9], begin[:12]]) == 0


def read_tokens(model: Any, prompts: Sequence[Sequence[int]]) -> int:
    return int(read(model, prompts, 0, room=1).cache.get_seq_length())


def test_the_room_of_a_batch_is_made_once(models: HfModels, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Room that grows is taken anew each time, a little larger than what was given back."""
    made: list[int] = []
    room = caches._room

    def noted(*given: Any) -> Any:
        made.append(given[-1])
        return room(*given)

    monkeypatch.setattr(caches, "_room", noted)
    model = opened(models, f"hf:{base}")
    found = answers(model, ["hi", "hi"], [{"max_tokens": 200, "temperature": 1, "seed": seed} for seed in (1, 2)])
    assert max(each.usage.output_tokens or 0 for each in found) > 64
    (tokens,) = {each.usage.input_tokens or 0 for each in found}
    shared = [tokens - 1 + 200] * 4  # keys and values of two layers, for what both begin with
    assert made == [*shared, *[tokens + 200] * 4]


def as_they_are(model: Any, prompts: Sequence[Sequence[int]], pad: int, room: int) -> Prompts:
    """Prompts of which nothing was read, for transformers to choose how."""
    ids, mask = left_padded(prompts, pad, model.device)
    return Prompts(ids=ids, mask=mask, cache=None)


@pytest.mark.parametrize("begin", ["", "the capital of France is Paris " * 4], ids=["nothing shared", "shared"])
def test_prompts_of_unlike_lengths_are_read_apart_and_say_the_same(
    models: HfModels, base: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch, begin: str
) -> None:
    """Short ones next to long ones would be padding for the most part, which a CPU computes like the rest."""
    texts = [
        f"{start}{begin}{'hi ' * size}"
        for start, size in zip([""] * 5 if begin else "abcde", (90, 1, 2, 40, 3), strict=True)
    ]
    shapes: list[tuple[int, int]] = []

    def seen(model: Any, mask: Any, *, input_ids: Any, **given: Any) -> Any:
        shapes.append(tuple(input_ids.shape))
        return forward(model, mask, input_ids=input_ids, **given)

    monkeypatch.setattr(caches, "forward", seen)
    monkeypatch.setattr(models._batcher, "_gather_s", 1.0)
    for spec in (f"hf:{base}", f"hf:{base}+{adapter}"):
        model = opened(models, spec)
        apart = [each.text for each in answers(model, texts)]
        with monkeypatch.context() as patch:
            patch.setattr(answering, "read", as_they_are)
            assert [each.text for each in answers(model, texts)] == apart
    assert {rows for rows, _ in shapes} == {1, 3}


def test_a_long_answer_outgrows_the_room_that_was_made(
    models: HfModels, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, params = opened(models, f"hf:{base}"), [{"max_tokens": 200}] * 2
    texts = ["hi", "the capital of France"]
    found = [each.text for each in answers(model, texts, params)]
    monkeypatch.setattr(answering, "read", as_they_are)
    assert [each.text for each in answers(model, texts, params)] == found


def test_a_text_that_no_token_spells_is_refused(models: HfModels, base: Path) -> None:
    """JSON can hold half of a surrogate pair, and servers take it; the engine does not break."""
    error = refusal(opened(models, f"hf:{base}"), "a\ud83d", max_tokens=2)
    assert error.kind == ErrorKind.BAD_REQUEST
    assert "the text holds half of a surrogate pair" in str(error)
