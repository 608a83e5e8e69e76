"""Puppet theatres (held out): plays, puppeteers, seats."""

from ..cast import Cast, World
from ..schema import Topic, calc, fact, hop, layout, passage

PLAYS = (
    "The Miser's Parrot",
    "Seven Tin Geese",
    "The Sleepy Dragon",
    "Grandmother Fog",
    "The Button King",
    "A Wolf in the Attic",
    "The Wooden Bride",
    "Three Wishes and a Goat",
    "The Cloud Thief",
    "Captain Marmalade",
)


def world(cast: Cast) -> World:
    """Return a puppet theatre with plays, people, seats and times."""
    a, b, c = (cast.name("*", "play", PLAYS) for _ in range(3))
    carver, player, player_b, player_c, composer, founder = cast.people(6)
    opening, last = cast.dates(2, first=4, last=10, span=60)
    (start,) = cast.clocks(1, 14, 18)
    end = cast.clock_after(start, 45, 115)
    (founded,) = cast.years(1, 1919, 1985)
    return {
        "music": composer,
        "house": cast.site("* Puppet Theatre", "theatre", "*"),
        "a": a,
        "b": b,
        "c": c,
        "carver": carver,
        "player": player,
        "player_b": player_b,
        "player_c": player_c,
        "composer": composer,
        "founder": founder,
        "x": cast.town(),
        "y": cast.town(),
        "opening": opening,
        "last": last,
        "start": start,
        "end": end,
        "founded": founded,
        "moved": cast.later(founded, 6, 35),
        "rows": cast.count(6, 14, "rows"),
        "seats": cast.count(8, 19, "seats"),
        "puppets": cast.count(41, 240, "puppets"),
        "puppets_b": cast.count(5, 38, "puppets"),
        "child": cast.money(3, 7),
        "adult": cast.money(8, 16),
        "kids": cast.count(12, 35, "children"),
        "adults": cast.count(3, 11, "adults"),
        "shows": cast.measure(40, 95, "minutes", 5),
        "shows_b": cast.measure(40, 95, "minutes", 5),
        "wood": cast.phrase("phrase", "lime wood, papier-mâché, cork, leather, pear wood, felt"),
        "hall": cast.phrase(
            "phrase", "a boathouse, a chapel, a wine cellar, a gymnasium, a cattle market, a tobacco barn"
        ),
    }


PORTRAIT = layout(
    "portrait",
    passage(
        "{house} <plays in|has its stage in> {hall} <not far from|on the edge of> {x}.",
        "{founder} founded it in {founded}; in {moved} it moved to its present home.",
        "The hall has {rows} of {seats} each.",
        "The company owns {puppets}, most of them made of {wood}<| and repaired every summer>.",
        "For {a} alone it uses {puppets_b}.",
        "The puppets are carved by {carver}, and the music is by {music}.",
        "<Its longest play,|The favourite of the children,> {b}, lasts {shows_b}.",
        ordered=True,
    ),
    held_out=True,
)
POSTER = layout(
    "poster",
    passage(
        "<Come and see {a} at {house}!|{house} presents {a}.|New at {house}: {a}.>",
        "First night is on {opening}; the last show is on {last}.",
        "The curtain rises at {start} and falls at {end}.",
        "Children pay {child}, grown-ups {adult}.",
        "<A nursery from|The school of> {y} has booked for {kids} and {adults}.",
        "{player} plays the hero and {player_b} the villain.",
        "<Also in the repertoire:|Still running:> {b}, which lasts {shows_b}.",
        "The puppets are made of {wood}.",
    ),
    held_out=True,
)
CAST_LIST = layout(
    "cast-list",
    passage(
        "<Who is on stage this month?|Leading parts this month.>",
        "In {a} the leading puppet is moved by {player}.",
        "In {b} the leading puppet is moved by {player_b}.",
        "In {c} the leading puppet is moved by {player_c}.",
        heading="<Leading parts|Programme>",
        most=3,
    ),
    passage(
        "<Our puppeteers introduce themselves.|About the players.>",
        "{player} learned the craft in {x} and <builds model ships|has twins>.",
        "{player_b} learned the craft in {y} and <paints the scenery too|keeps a parrot>.",
        heading="<The players|Behind the curtain>",
    ),
    held_out=True,
)
TOUR = layout(
    "tour",
    passage(
        "<The company goes on tour.|Tour dates:>",
        "On {opening} the company plays {a}.",
        "On {last} the company plays {b}.",
        heading="<On tour|Tour plan>",
        most=2,
    ),
    passage(
        "<Running times and makers.|From the prompt book.>",
        "{a} lasts {shows}; its puppets were carved by {carver}.",
        "{b} lasts {shows_b}; its puppets were carved by {composer}.",
        "{c} lasts <half an hour|a full hour>.",
        heading="<Prompt book|The plays>",
        most=3,
    ),
    held_out=True,
)

QUESTIONS = (
    fact("In which year was {house} founded?", "founded"),
    fact("Who founded {house}?", "founder"),
    fact("What are <most of the|the> puppets made of?", "wood"),
    fact("How many puppets does {house} own?", "puppets"),
    fact("Who wrote the music for {house}?", "music"),
    fact("Who carves the puppets?", "carver"),
    fact("When is the first night of {a}?", "opening"),
    fact("When is the last show of {a}?", "last"),
    fact("What does a child pay?", "child"),
    fact("Who plays the villain in {a}?", "player_b"),
    fact("At what time does the curtain rise?", "start"),
    calc("product", "How many seats does the hall of {house} have?", "rows", "seats", unit="seats"),
    calc("difference", "How many years after its founding did {house} move?", "moved", "founded", unit="years"),
    calc(
        "remainder",
        "How many of the puppets of {house} are not needed for {a}?",
        "puppets",
        "puppets_b",
        unit="puppets",
    ),
    calc("time_between", "How long does {a} last, from the rise of the curtain to its fall?", "start", "end"),
    calc(
        "two_products",
        "How much does the group from {y} pay in all?",
        "kids",
        "child",
        "adults",
        "adult",
        unit="money",
    ),
    calc(
        "days_between",
        "How many days after the first night is the last show of {a}?",
        "opening",
        "last",
        unit="days",
    ),
    calc(
        "sum",
        "How many people, children and grown-ups together, are coming from {y}?",
        "kids",
        "adults",
        unit="people",
    ),
    hop(
        "In which town did the puppeteer of the leading part in {a} learn the craft?",
        "a",
        "player",
        "x",
        foil="y",
    ),
    hop(
        "Where did the person who moves the leading puppet in {b} learn the craft?",
        "b",
        "player_b",
        "y",
        foil="x",
    ),
    hop("How long is the play that the company gives on {opening}?", "opening", "a", "shows", foil="shows_b"),
    hop("Who carved the puppets for the play of {last}?", "last", "b", "composer", foil="carver"),
    hop("Who carved the puppets for the play of {opening}?", "opening", "a", "carver", foil="composer"),
)

TOPIC = Topic("theatre", world, (PORTRAIT, POSTER, CAST_LIST, TOUR), QUESTIONS, held_out=True)
