"""Look-ahead window: which responses are requested ahead of time, in the order of collection."""

import asyncio

__all__ = ["Places"]


class Places:
    """Hands out the places of cases whose responses can be requested before the cases run.

    A place is a case's index in the order of collection. All processes that run cases claim places from one object in
    the engine's process, so responses are requested in the order of collection, whichever process runs the case.
    """

    def __init__(self, window: int) -> None:
        """Begin at the first place.

        Args:
            window: largest number of responses that are requested ahead and not yet used; at least 1.
        """
        self.window = window
        self._next = 0
        self._taken = bytearray()
        self._open: set[int] = set()
        self._claimers: list[asyncio.Future[None]] = []
        self._is_closed = False

    async def claim(self, total: int, most: int) -> list[int]:
        """Wait until the window has room, and return the next places: at least one and at most ``most``.

        Args:
            total: number of places in all.
            most: largest number that the caller wants at once.

        Returns:
            The places in ascending order; an empty list when all are given out or the window is closed.
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
        """Note that the case at ``place`` asks for its response itself; if it was claimed, that frees its room."""
        if place >= len(self._taken):
            self._taken.extend(bytes(place + 1 - len(self._taken)))
        self._taken[place] = 1
        if place in self._open:
            self._open.discard(place)
            self._wake()

    def is_open(self, place: int) -> bool:
        """Return whether ``place`` is claimed and its case has not asked yet."""
        return place in self._open

    def give_back(self, places: list[int]) -> None:
        """Take back places that a process claimed but did not use before it died."""
        for place in places:
            if place in self._open:
                self._open.discard(place)
                self._taken[place] = 0
                self._next = min(self._next, place)
        self._wake()

    def close(self) -> None:
        """Give out no more places."""
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
