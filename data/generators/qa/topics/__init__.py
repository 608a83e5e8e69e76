"""The topics, one module each."""

from . import (
    apiary,
    bookshop,
    bridge,
    expedition,
    ferry,
    festival,
    league,
    library,
    lighthouse,
    museum,
    observatory,
    orchard,
    pottery,
    railway,
    recipe,
    software,
    theatre,
    weather,
    zoo,
)

TOPICS = tuple(
    module.TOPIC
    for module in (
        lighthouse,
        ferry,
        museum,
        theatre,
        orchard,
        bridge,
        bookshop,
        zoo,
        expedition,
        observatory,
        recipe,
        software,
        league,
        weather,
        festival,
        apiary,
        railway,
        pottery,
        library,
    )
)
