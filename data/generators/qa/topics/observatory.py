"""Small observatories (held out): telescopes, nights, discoveries."""

from ..cast import Cast, World
from ..schema import Topic, calc, fact, hop, layout, passage, pick

SCOPES = ("Aquila", "Boreas", "Cassia", "Delos", "Egret", "Fulmar", "Galena", "Hesper")


def world(cast: Cast) -> World:
    """Return observatories with telescopes, people, nights and finds."""
    a, b, c = (cast.site("* Observatory", "observatory", "*") for _ in range(3))
    s, t, u = (cast.name("Telescope *", "telescope", SCOPES, "*") for _ in range(3))
    head, head_b, guide, finder, finder_b, finder_c = cast.people(6)
    night, night_b, night_c = cast.dates(3, first=4, last=10, span=26)
    dark, dawn = cast.clocks(2, 0, 6, gap=70)
    (founded,), (founded_b,) = cast.years(1, 1873, 1955), cast.years(1, 1873, 1990)
    return {
        "founder": finder,
        "study": cast.phrase("phrase", "novae, asteroids, the phases of Venus, faint galaxies, sunspots"),
        "a": a,
        "b": b,
        "c": c,
        "s": s,
        "t": t,
        "u": u,
        "head": head,
        "head_b": head_b,
        "guide": guide,
        "finder": finder,
        "finder_b": finder_b,
        "finder_c": finder_c,
        "x": cast.town(),
        "y": cast.town(),
        "night": night,
        "night_b": night_b,
        "night_c": night_c,
        "dark": dark,
        "dawn": dawn,
        "founded": founded,
        "founded_b": founded_b,
        "dome": cast.later(founded, 8, 60),
        "mirror": cast.measure(31, 190, "centimetres"),
        "mirror_b": cast.measure(31, 190, "centimetres"),
        "height": cast.measure(420, 2900, "metres", 10),
        "height_b": cast.measure(420, 2900, "metres", 10),
        "clear": cast.count(90, 240, "nights"),
        "stars": cast.count(12, 60, "stars"),
        "groups": cast.count(3, 12, "groups"),
        "each": cast.count(8, 25, "guests"),
        "ticket": cast.money(4, 15),
        "why": cast.phrase(
            "phrase",
            "variable stars, comets, lunar craters, double stars, meteor showers, the rings of Saturn",
        ),
        "roof": cast.phrase("phrase", "copper, larch shingles, aluminium, canvas, zinc, plywood"),
    }


ENTRY = layout(
    "entry",
    passage(
        "{a} <is a small observatory|stands> on a hill near {x}, {height} above the sea.",
        "<It was founded in {founded}|The observatory was founded in {founded}> by {founder}, <a "
        "watchmaker|a priest|a brewer>, and was given its dome in {dome}.",
        "The dome is covered with {roof}.",
        "The main mirror measures {mirror} across.",
        "On average the sky is clear on {clear} a year, and {head} keeps the records.",
        "<Its staff study|The main subject of study is> {study}.",
        "{b}, <its partner in the south|a partner>, was founded in {founded_b}, lies at {height_b} and has "
        "a mirror of {mirror_b}.",
        ordered=True,
    ),
    held_out=True,
)
NIGHT = layout(
    "open-night",
    passage(
        "<Open night at {a}.|You are invited to look through our telescope at {a}.|Star evenings at {a}:>",
        "The next open night is on {night}, the one after that on {night_b}.",
        "We observe from {dark} until {dawn}, tea breaks included.",
        "We take {groups} of {each} each.",
        "A ticket costs {ticket}<|; please bring the right change>.",
        "{guide} explains the instruments and {head_b} <pours the tea|answers letters>.",
        "<We hope to show you|The subject is> {why}.",
        "The mirror of our telescope is {mirror} wide.",
    ),
    held_out=True,
)
LOGBOOK = layout(
    "logbook",
    passage(
        "<The logbook names three finds.|Finds of the year.>",
        "The comet of {night} was seen first at {a}.",
        "The comet of {night_b} was seen first at {b}.",
        "The comet of {night_c} was seen first at {c}.",
        heading="<Logbook|Comets of the year>",
        most=3,
    ),
    passage(
        "<The observatories and their heads.|Heads of the observatories:>",
        "{a} is headed by {head}.",
        "{b} is headed by {head_b}.",
        "{c} is headed by {guide}.",
        heading="<Heads|Address book>",
        most=2,
    ),
    held_out=True,
)
INSTRUMENTS = layout(
    "instruments",
    passage(
        "<The telescopes are shared by three people.|Time at the telescopes:>",
        "{finder} uses {s}.",
        "{finder_b} uses {t}.",
        "{finder_c} uses {u}.",
        heading="<Users|Telescope plan>",
        most=3,
    ),
    passage(
        "<Sizes of the mirrors.|From the list of instruments.>",
        "{s} has a mirror of {mirror} and was made in {x}.",
        "{t} has a mirror of {mirror_b} and was made in {y}.",
        heading="<Instruments|List of instruments>",
    ),
    held_out=True,
)

QUESTIONS = (
    fact("In which year was {a} founded?", "founded"),
    fact("Who founded {a}?", "founder"),
    fact("In which year did {a} get its dome?", "dome"),
    fact("What covers the dome of {a}?", "roof"),
    fact("How wide is the <main |>mirror of {a}?", "mirror"),
    fact("On how many nights a year is the sky clear?", "clear"),
    fact("What do the staff of {a} study?", "study"),
    fact("On which date is the next open night?", "night"),
    fact("Who explains the instruments?", "guide"),
    fact("How much is a ticket?", "ticket"),
    fact("Until what time does the observing last?", "dawn"),
    calc("difference", "How many years after its founding did {a} get a dome?", "dome", "founded", unit="years"),
    calc(
        "difference",
        "By how many metres do {a} and {b} differ in height?",
        "height",
        "height_b",
        unit="metres",
    ),
    calc("time_between", "How long does the observing last?", "dark", "dawn"),
    calc("product", "How many guests can come to an open night?", "groups", "each", unit="guests"),
    calc("days_between", "How many days lie between the two open nights?", "night", "night_b", unit="days"),
    pick("largest", "Which observatory has the larger mirror, {a} or {b}?", ("a", "mirror"), ("b", "mirror_b")),
    pick("earliest", "Which observatory is older, {b} or {a}?", ("a", "founded"), ("b", "founded_b")),
    hop(
        "Who heads the observatory where the comet of {night} was first seen?",
        "night",
        "a",
        "head",
        foil="head_b",
    ),
    hop(
        "Who is head of the place where the comet of {night_b} was first seen?",
        "night_b",
        "b",
        "head_b",
        foil="guide",
    ),
    hop(
        "How large is the mirror of the telescope that {finder} uses?",
        "finder",
        "s",
        "mirror",
        foil="mirror_b",
    ),
    hop("Where was the telescope made that {finder_b} uses?", "finder_b", "t", "y", foil="x"),
    hop("In which town was {finder}'s telescope made?", "finder", "s", "x", foil="y"),
)

TOPIC = Topic("observatory", world, (ENTRY, NIGHT, LOGBOOK, INSTRUMENTS), QUESTIONS, held_out=True)
