"""Which responses are requested ahead of time: the next ones in the order of collection, in a bounded window."""

import asyncio

__all__ = ["Places"]


class Places:
    """Hands out the places of cases whose responses can be requested before the cases run.

    Every process that runs cases claims from the one object that the engine's process holds: a response is requested
    in the order of collection, whoever runs its case.
    """

    def __init__(self, window: int) -> None:
        """Begin at the first place.

        Args:
            window: the most responses requested ahead and not yet used; at least 1.
        """
        self.window = window
        self._next = 0
        self._taken = bytearray()
        self._open: set[int] = set()
        self._claimers: list[asyncio.Future[None]] = []
        self._is_closed = False

    async def claim(self, total: int, most: int) -> list[int]:
        """Return the next places, at least one and at most ``most``, once the window has room.

        Args:
            total: how many places there are.
            most: how many the caller wants at once.

        Returns:
            The places in order; none when all are given out.
        """
        self._taken.extend(bytes(max(0, total - len(self._taken))))
        while not self._is_closed:
            self._skip_taken()
            if self._next >= total:
                break
            room = min(most, self.window - len(self._open))
            if room > 0:
                return self._give(room, total)
            wake = asyncio.get_running_loop().create_future()
            self._claimers.append(wake)
            await wake
        return []

    def take(self, place: int) -> None:
        """Note that the case at ``place`` asks for its response itself; a claim of it makes room for another."""
        if place >= len(self._taken):
            self._taken.extend(bytes(place + 1 - len(self._taken)))
        self._taken[place] = 1
        if place in self._open:
            self._open.discard(place)
            self._wake()

    def is_open(self, place: int) -> bool:
        """Whether ``place`` is claimed and its case has not asked yet."""
        return place in self._open

    def give_back(self, places: list[int]) -> None:
        """Take back places that a process claimed and died before it used them."""
        for place in places:
            if place in self._open:
                self._open.discard(place)
                self._taken[place] = 0
                self._next = min(self._next, place)
        self._wake()

    def close(self) -> None:
        """Give out no more."""
        self._is_closed = True
        self._wake()

    def _give(self, room: int, total: int) -> list[int]:
        places: list[int] = []
        while len(places) < room and self._next < total:
            places.append(self._next)
            self._taken[self._next] = 1
            self._open.add(self._next)
            self._next += 1
            self._skip_taken()
        return places

    def _skip_taken(self) -> None:
        while self._next < len(self._taken) and self._taken[self._next]:
            self._next += 1

    def _wake(self) -> None:
        claimers, self._claimers = self._claimers, []
        for claimer in claimers:
            if not claimer.done():
                claimer.set_result(None)
