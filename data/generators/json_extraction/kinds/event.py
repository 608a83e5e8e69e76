"""event (easy): the announcement of a public event."""

from __future__ import annotations

from ..draw import Draw
from ..notation import notation
from ..people import people
from ..places import country
from ..spec import Facts, Field, Kind
from ..wording import closing, labelled, lines, say

# (title, what to expect, first and last hour of the start, months)
_TITLES = (
    ("Jazz under the Stars", "five local bands", 19, 20, (6, 7, 8)),
    ("Spring Plant Swap", "seedlings, pots and good advice", 9, 14, (3, 4, 5)),
    ("Repair Café", "bring a broken toaster and learn to mend it", 10, 15, ()),
    ("Poetry Slam Finals", "eight poets, one prize", 18, 20, ()),
    ("Night of the Telescopes", "see the rings of Saturn", 20, 21, (1, 2, 3, 10, 11, 12)),
    ("Open Kitchen Day", "taste bread from the stone oven", 10, 13, ()),
    ("River Clean-Up", "gloves and bags are provided", 9, 11, (4, 5, 6, 7, 8, 9)),
    ("Board Game Marathon", "more than 200 games", 10, 16, ()),
    ("Coding for Beginners", "your first web page in three hours", 9, 17, ()),
    ("Harvest Market", "cheese, honey and cider", 8, 11, (9, 10)),
    ("Silent Film Evening", "with live piano music", 18, 20, ()),
    ("Charity Fun Run", "5 km through the old town", 9, 11, (4, 5, 6, 9, 10)),
    ("Ceramics Fair", "thirty potters show their work", 9, 12, ()),
    ("Family Science Day", "slime, rockets and robots", 9, 13, ()),
    ("Vintage Bike Parade", "riders from all over the country", 10, 14, (5, 6, 7, 8, 9)),
    ("Salsa Night", "with a free first lesson", 19, 21, ()),
    ("Winter Choir Concert", "songs from nine countries", 16, 19, (11, 12, 1, 2)),
    ("Big Book Swap", "take one, leave one", 9, 15, ()),
    ("Street Food Festival", "dishes from twenty kitchens", 11, 17, (5, 6, 7, 8, 9)),
    ("Kite Flying Day", "kites can be borrowed", 10, 14, (3, 4, 9, 10)),
    ("Short Film Club", "seven short films", 18, 20, ()),
    ("Urban Sketching Walk", "paper and pencils are provided", 9, 14, (4, 5, 6, 7, 8, 9)),
    ("Startup Breakfast", "three founders tell their story", 8, 9, ()),
    ("Chess in the Park", "all levels are welcome", 11, 16, (5, 6, 7, 8, 9)),
)
# Split between train, val and test.
_ORGANISERS = (
    "Riverside Neighbours",
    "Friends of the Library",
    "Rotary Club Nord",
    "Green Quarter Association",
    "Lantern Society",
    "Kulturverein Süd",
    "Makers' Guild",
    "Harbour Youth Club",
    "Saint Luke Parish",
    "Sunrise Community Trust",
    "Amigos del Barrio",
    "Open Space Collective",
    "Bright Minds Foundation",
    "Women's Circle East",
    "Quartier Vivant",
    "Old Town Traders",
    "Orion Club",
    "Parents for Play",
    "Tandem Society",
    "Lively Streets Alliance",
    "Nordic Friendship Union",
    "Bridge Street Committee",
    "Sakura Friendship Society",
    "Ubuntu Arts Trust",
    "Baltic Cultural Circle",
    "Community Garden Team",
    "Museum Volunteers",
    "Lions Club Lakeside",
    "Gambit Social Club",
    "Neighbourhood Council East",
    "Casa Aberta Association",
    "Trail Keepers",
    "Student Union Central",
    "Inkwell Collective",
    "Commons House Cooperative",
    "Volunteer Fire Brigade",
    "Seniors' Network West",
    "Aurora Society",
    "Round Table Hilltown",
    "Market Hall Cooperative",
)
_VENUES = (
    "Town Hall",
    "Old Brewery",
    "Lakeside Pavilion",
    "Community Centre",
    "Market Square",
    "Riverside Park",
    "Central Library",
    "Corn Exchange",
    "Harbour Hall",
    "Botanical Garden",
    "Railway Museum",
    "Studio 9",
    "Cloister Garden",
    "Sports Hall North",
    "Lighthouse Café",
    "Tram Depot",
    "St Mark's Church",
)


def facts(d: Draw) -> Facts:
    """Return an event with organiser, day, start and venue."""
    land = country(d)
    title, blurb, first, last, months = d.pick(_TITLES)
    day, clock = d.day(3, 6), d.clock(first, last, 30)
    while months and day.month not in months:
        day = d.day(3, 6)
    return {
        "title": title,
        "organiser": d.own(_ORGANISERS),
        "date": day.isoformat(),
        "start_time": clock,
        "venue": d.pick(_VENUES),
        "blurb": blurb,
        "day": day,
        "n": notation(d, land),
        "city": d.pick(land.cities),
        "who": people(d, 2),
        "price": f"{d.pick((4, 5, 6, 8, 10, 12)) * land.scale} {land.currency}",
    }


def _texts(f: Facts) -> tuple[str, str]:
    """Return the day and the start as the document writes them."""
    return f["n"].date(f["day"]), f["n"].time(f["start_time"])


def poster(d: Draw, f: Facts) -> str:
    """A poster with short lines."""
    day, clock = _texts(f)
    return lines(
        d.maybe("*** Save the date ***", "You are invited!", f"This month in {f['city']}", share=0.6),
        f["title"],
        d.maybe(f["blurb"].capitalize(), share=0.8),
        f"{d.pick(('Date', 'When', 'Day'))}: {day}",
        f"{d.pick(('Start', 'Starts at', 'Beginning'))}: {clock}",
        f"{d.pick(('Venue', 'Where', 'Place'))}: {f['venue']}",
        f"{d.pick(('Organised by', 'Presented by', 'Organiser:', 'Hosted by'))} {f['organiser']}",
        d.maybe("Free entry", f"Tickets: {f['price']}", "Rain or shine", share=0.8),
    )


def newsletter(d: Draw, f: Facts) -> str:
    """A paragraph in a newsletter."""
    day, clock = _texts(f)
    return say(
        d.pick(
            (
                f'{f["organiser"]} is organising "{f["title"]}" on {day}.',
                f'On {day}, {f["organiser"]} invites everyone to "{f["title"]}".',
            )
        ),
        d.pick(
            (
                f"It starts at {clock} at {f['venue']} in {f['city']}.",
                f"The venue is {f['venue']}, and it starts at {clock}.",
            )
        ),
        d.pick((f"Look forward to this: {f['blurb']}.", f"In short: {f['blurb']}.", "Children are welcome.")),
        d.maybe("There is no entry fee.", f"Tickets cost {f['price']}.", "No registration is needed.", share=0.7),
    )


def invitation(d: Draw, f: Facts) -> str:
    """An invitation by mail."""
    day, clock = _texts(f)
    sender = f["who"][0]
    text = d.pick(
        (
            f'would you like to come to "{f["title"]}"? It is on {day} and starts at {clock}.',
            f'please join us for "{f["title"]}" on {day}. We start at {clock}.',
        )
    )
    place = d.pick((f"The venue: {f['venue']}.", f"We have booked the venue {f['venue']} for it."))
    return lines(
        f"Dear {f['who'][1].given},",
        say(text, place),
        d.maybe(f"What to expect: {f['blurb']}.", "Bring your friends!", "Let me know if you can come.", share=0.8),
        "\n",
        closing(d),
        sender.full,
        f"for the organiser, {f['organiser']}",
    )


def listing_page(d: Draw, f: Facts) -> str:
    """An entry in an online calendar of events."""
    day, clock = _texts(f)
    rows = [
        ("Event", f["title"]),
        ("Organiser", f["organiser"]),
        ("Date", day),
        (d.pick(("Start time", "Start", "From")), clock),
        (d.pick(("Venue", "Location")), f["venue"]),
    ]
    more = [
        ("City", d.maybe(f["city"])),
        ("Entry", d.maybe("free", f["price"], share=0.7)),
        ("About", d.maybe(f["blurb"], share=0.8)),
        ("Contact", d.maybe(f["who"][0].full)),
    ]
    return lines(
        d.maybe("Events near you (1 result)", "WHAT'S ON", "City calendar", share=0.7),
        labelled(d.shuffled(rows)),
        labelled(d.shuffled(more)),
    )


def radio(d: Draw, f: Facts) -> str:
    """An announcement read on local radio."""
    day, clock = _texts(f)
    return say(
        d.pick(("And now the event tip of the week.", "Looking for something to do?", "Here is our tip.")),
        f"It is called {f['title']} and {d.pick(('takes place on', 'happens on', 'you can see it on'))} {day}.",
        d.pick(
            (
                f"The venue is {f['venue']}, everybody is welcome, and the start is at {clock}.",
                f"Be at {f['venue']} when it starts at {clock}.",
            )
        ),
        d.pick((f"The organiser is {f['organiser']}.", f"We thank {f['organiser']}, the organiser.")),
        d.maybe("See you there!", "Bring the whole family.", "Now back to the music.", share=0.7),
    )


def social_post(d: Draw, f: Facts) -> str:
    """A post by the organiser."""
    day, clock = _texts(f)
    return lines(
        f"@{f['organiser']}",
        d.pick(
            (
                f"Only a few days left until {f['title']}!",
                f"It's happening: {f['title']}!",
                f"Who's coming to {f['title']}?",
            )
        ),
        f">> {day}",
        f">> starts {clock}",
        f">> {f['venue']}, {f['city']}",
        d.pick(
            (
                f"{f['blurb'].capitalize()}!",
                f"Tag {f['who'][0].given} and {f['who'][1].given}!",
                "Link in bio.",
                "Like and share.",
            )
        ),
    )


KIND = Kind(
    name="event",
    slice="easy",
    fields=(
        Field("title"),
        Field("organiser"),
        Field("date", "date"),
        Field("start_time", "time"),
        Field("venue", note="without the city"),
    ),
    facts=facts,
    layouts={
        "poster": poster,
        "newsletter": newsletter,
        "invitation": invitation,
        "listing_page": listing_page,
    },
    held_out={"radio": radio, "social_post": social_post},
)
