"""What is printed and logged while bodies run side by side: each text goes to the case whose body wrote it."""

import asyncio
import contextvars
import io
import logging
import re
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_llmeval.bridge.execution.output import OUTPUT, CaseOutput, keep_apart
from tests.support.project import Project


class Item:
    """Keeps the sections that a report would show."""

    def __init__(self) -> None:
        self.sections: dict[str, str] = {}

    def add_report_section(self, when: str, name: str, text: str) -> None:
        assert when == "call"
        self.sections[name] = text


class Config:
    """A session's configuration, with the capture and the logging of pytest as far as they are looked at."""

    def __init__(self, *, nested: bool = False, logs: bool = True) -> None:
        streams = [SimpleNamespace(tmpfile=io.StringIO(), _old=io.StringIO()) for _ in range(2)]
        self.out, self.err = streams
        out, err = (SimpleNamespace(syscapture=each) if nested else each for each in streams)
        self.plugins: dict[str, Any] = {
            "capturemanager": SimpleNamespace(_global_capturing=SimpleNamespace(out=out, err=err))
        }
        self.caplog_handler, self.report_handler = (logging.StreamHandler(io.StringIO()) for _ in range(2))
        if logs:
            self.plugins["logging-plugin"] = SimpleNamespace(
                caplog_handler=self.caplog_handler,
                report_handler=self.report_handler,
                log_cli_handler=logging.NullHandler(),
                formatter=logging.Formatter("%(levelname)s %(message)s"),
            )
        self.cleanups: list[Callable[[], object]] = []
        self.pluginmanager = SimpleNamespace(getplugin=self.plugins.get)
        self.add_cleanup = self.cleanups.append

    def close(self) -> None:
        while self.cleanups:
            self.cleanups.pop()()

    def logged(self) -> list[str]:
        """Return what each handler of pytest's wrote."""
        return [handler.stream.getvalue() for handler in (self.caplog_handler, self.report_handler)]


@pytest.fixture
def config() -> Iterator[Any]:
    made = Config()
    yield made
    made.close()


def in_body(write: Callable[[], object]) -> dict[str, str]:
    """Run ``write`` as a body; return the sections of its case."""
    output, item = CaseOutput(), Item()

    def body() -> None:
        OUTPUT.set(output)
        write()

    contextvars.copy_context().run(body)
    output.put_on(item)  # type: ignore[arg-type]  # all that is asked of an item
    return item.sections


@pytest.mark.parametrize("nested", [False, True], ids=["sys", "fd"])
def test_a_text_goes_to_its_body_or_else_where_it_went_before(nested: bool) -> None:
    config: Any = Config(nested=nested)
    plain = [config.out.tmpfile, config.out._old, config.err.tmpfile, config.err._old]
    assert keep_apart(config)
    swapped = [config.out.tmpfile, config.out._old, config.err.tmpfile, config.err._old]
    for stream in swapped:
        stream.write("of pytest\n")
    sections = in_body(lambda: [print("of the body", file=stream) for stream in swapped])
    assert sections == {"stdout": "of the body\n" * 2, "stderr": "of the body\n" * 2}
    assert [stream.getvalue() for stream in plain] == ["of pytest\n"] * 4
    config.close()
    assert [config.out.tmpfile, config.out._old, config.err.tmpfile, config.err._old] == plain


def test_a_stream_is_written_to_and_asked_as_before(config: Any) -> None:
    config.out.tmpfile = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    assert keep_apart(config)
    stream = config.out.tmpfile
    assert (stream.write("four"), stream.encoding, stream.isatty()) == (4, "latin-1", False)
    stream.writelines(["a", "b"])
    stream.flush()
    assert stream.buffer.getvalue() == b"fourab"
    assert in_body(lambda: stream.writelines(["c", "d"])) == {"stdout": "cd"}
    with pytest.raises(AttributeError):
        _ = stream.nothing


def test_the_stream_that_is_in_place_is_swapped_at_once(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest would put it in place with the next test only."""
    monkeypatch.setattr(sys, "stdout", config.out.tmpfile)
    monkeypatch.setattr(sys, "stderr", config.err._old)
    before = (sys.stdout, sys.stderr)
    assert keep_apart(config)
    assert (sys.stdout, sys.stderr) == (config.out.tmpfile, config.err._old)
    assert in_body(lambda: sys.stdout.write("x\n")) == {"stdout": "x\n"}
    config.close()
    assert (sys.stdout, sys.stderr) == before


def test_bodies_that_take_turns_keep_their_texts(config: Any) -> None:
    assert keep_apart(config)
    outputs = [CaseOutput() for _ in range(3)]

    async def body(number: int) -> None:
        OUTPUT.set(outputs[number])
        for step in range(3):
            print(f"{number}-{step}", file=config.out.tmpfile)
            await asyncio.sleep(0)
        await asyncio.create_task(within(number))

    async def within(number: int) -> None:
        print(f"{number}-within", file=config.out.tmpfile)

    async def all_bodies() -> None:
        await asyncio.gather(*(body(number) for number in range(3)))

    asyncio.run(all_bodies())
    for number, output in enumerate(outputs):
        item = Item()
        output.put_on(item)  # type: ignore[arg-type]  # all that is asked of an item
        assert item.sections["stdout"].split() == [f"{number}-{each}" for each in (0, 1, 2, "within")]


def test_a_record_of_a_body_is_no_record_of_the_test_that_runs(config: Any) -> None:
    assert keep_apart(config)
    logger = logging.getLogger("kept apart")
    for handler in (config.caplog_handler, config.report_handler):
        logging.root.addHandler(handler)
    try:
        logger.error("of the test")
        sections = in_body(lambda: logger.error("of the body"))
    finally:
        for handler in (config.caplog_handler, config.report_handler):
            logging.root.removeHandler(handler)
    assert sections == {"log": "ERROR of the body\n"}
    assert config.logged() == ["of the test\n"] * 2


def test_nothing_of_ours_is_left_in_the_logging(config: Any) -> None:
    before = list(logging.root.handlers)
    assert keep_apart(config)
    assert len(logging.root.handlers) == len(before) + 1
    config.close()
    assert logging.root.handlers == before


def test_without_pytests_logging_the_streams_are_kept_apart_all_the_same() -> None:
    config: Any = Config(logs=False)
    before = list(logging.root.handlers)
    assert keep_apart(config)
    assert in_body(lambda: config.out.tmpfile.write("x")) == {"stdout": "x"}
    assert logging.root.handlers == before
    config.close()


def test_live_logs_of_a_body_stand_below_its_own_case(project: Project) -> None:
    project.eval(
        """
        async def test_echo(sample, model):
            import logging

            logging.getLogger("own").warning("begin of %s", sample.id)
            logging.getLogger("own").info("never shown")
            await model.generate()
            logging.getLogger("own").warning("end of %s", sample.id)
        """,
        [{"id": f"r{n}", "input": "q"} for n in range(4)],
    )
    result = project.run("evals", "-o", "log_cli=true", "--log-level=INFO", "--log-cli-level=WARNING", inside=False)
    assert "4 ran ahead" in result.stdout.str()
    parts = re.split(r"test_echo\[(r\d)\] *\n-+ live log call -+\n", result.stdout.str())
    shown = {name: re.findall(r"(\w+ of r\d|never)", part) for name, part in zip(parts[1::2], parts[2::2], strict=True)}
    assert shown == {f"r{n}": [f"begin of r{n}", f"end of r{n}"] for n in range(4)}


@pytest.mark.parametrize("missing", ["manager", "capture", "stderr"])
def test_where_pytest_does_not_capture_nothing_is_changed(config: Any, missing: str) -> None:
    if missing == "manager":
        del config.plugins["capturemanager"]
    elif missing == "capture":
        config.plugins["capturemanager"]._global_capturing = None
    else:
        config.plugins["capturemanager"]._global_capturing.err = SimpleNamespace()
    before = (config.out.tmpfile, list(logging.root.handlers))
    assert not keep_apart(config)
    assert (config.out.tmpfile, logging.root.handlers) == before
    assert config.cleanups == []
