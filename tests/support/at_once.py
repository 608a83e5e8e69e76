"""Many threads that do one thing at the same moment, closer together than processes can start."""

import threading
from collections.abc import Callable

from pytest_llmeval.core.errors import StoreError

__all__ = ["at_once"]


def at_once(count: int, act: Callable[[int], None]) -> list[StoreError]:
    """Have ``count`` threads ``act``, each with its number from 0; return the errors of the store."""
    barrier = threading.Barrier(count)
    problems: list[StoreError] = []

    def wait_and_act(number: int) -> None:
        barrier.wait()
        try:
            act(number)
        except StoreError as error:
            problems.append(error)

    threads = [threading.Thread(target=wait_and_act, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return problems
