"""A process that asks the engine of another: ``python -m tests.support.asker SOCKET``.

It claims four of ten places, begins the call of the first, asks another call and prints its answer, claims once more,
and waits until it is killed.
"""

import asyncio
import sys
from pathlib import Path

from pytest_llmeval.engine.line import Line
from tests.support.engine_parts import ask

__all__: list[str] = []


async def main(path: str) -> None:
    """Ask."""
    line = Line(Path(path), on_stop=say)
    say(str(await line.claim(10, 4)))
    await line.ahead(ask("0", "slow 0"), 0)
    say((await line.ask(ask("other", "quick"))).text)
    waiting = asyncio.ensure_future(line.claim(10, 4))
    caused = asyncio.ensure_future(line.ask(ask("mine", "slow mine")))
    await asyncio.sleep(0)
    await line.ask(ask("sync", "quick"))  # the engine has read what was sent before it
    say("ready")
    await asyncio.gather(waiting, caused)


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
