"""Museums: collections, visits, gifts."""

from ..cast import Cast, World
from ..schema import Topic, calc, fact, hop, layout, passage, pick

KINDS = (
    "Clock Museum",
    "Museum of Toys",
    "Textile Museum",
    "Museum of Salt",
    "Glass Museum",
    "Umbrella Museum",
    "Museum of Maps",
    "Radio Museum",
    "Museum of Bread",
    "Kite Museum",
)
OBJECTS = (
    "bronze bell",
    "ivory-inlaid chest",
    "blue sledge",
    "mechanical swan",
    "copper globe",
    "painted cradle",
    "silver inkwell",
    "oak loom",
    "glass harp",
    "stone sundial",
    "brass telescope",
    "carved mask",
)


def world(cast: Cast) -> World:
    """Return two museums with founders, objects, prices and hours."""
    town_a, town_b, town_c = (cast.town_name() for _ in range(3))
    a = cast.name(f"{town_a} *", "museum", KINDS, "*")
    b = cast.name(f"{town_b} *", "museum", KINDS, "*")
    c = cast.name(f"{town_c} *", "museum", KINDS, "*")
    x, y, z = cast.towns(3)
    p, q, r, m = cast.people(4)
    s, t, u = (cast.name("*", "object", OBJECTS, "a *") for _ in range(3))
    founded, annex = cast.years(2, 1902, 2015, gap=6)
    (founded_b,) = cast.years(1, 1895, 2012)
    made, made_b = cast.years(2, 1610, 1890, gap=9)
    (opens,), (shuts,) = cast.clocks(1, 9, 11, step=15), cast.clocks(1, 15, 19, step=15)
    return {
        "a": a,
        "b": b,
        "c": c,
        "donor": p,
        "donor_b": q,
        "donor_c": r,
        "home": x,
        "home_b": y,
        "founder": p,
        "maker": p,
        "maker_b": q,
        "director": q,
        "director_b": r,
        "guide": p,
        "workshop": q,
        "cook": m,
        "late": cast.weekday(),
        "x": x,
        "y": y,
        "z": z,
        "p": p,
        "q": q,
        "r": r,
        "m": m,
        "s": s,
        "t": t,
        "u": u,
        "founded": founded,
        "annex": annex,
        "founded_b": founded_b,
        "made": made,
        "made_b": made_b,
        "opens": opens,
        "shuts": shuts,
        "closed": cast.weekday(),
        "items": cast.count(1400, 9600, "objects", 100),
        "shown": cast.percent(10, 60),
        "items_b": cast.count(1400, 9600, "objects", 100),
        "rooms": cast.count(4, 9, "rooms"),
        "rooms_new": cast.count(2, 8, "rooms"),
        "adult": cast.money(6, 18),
        "child": cast.money(2, 5),
        "class_": cast.count(16, 31, "pupils"),
        "visits": cast.count(4000, 9900, "visitors", 100),
        "visits_b": cast.count(2100, 9800, "visitors", 100),
        "house": cast.phrase(
            "phrase", "old customs house, disused school, former tram depot, corn store, bathhouse, wool mill"
        ),
        "gift": cast.phrase(
            "phrase",
            "tin soldiers, hand-drawn maps, silk ribbons, pocket watches, bird whistles, lace collars",
        ),
    }


GUIDE = layout(
    "guide",
    passage(
        "The {a} <occupies|is housed in> a(n) {house} <near the market|by the river|behind the station>.",
        "It was founded in {founded} by {founder}, <a retired teacher|a local doctor|a grain merchant>, "
        "whose own collection of {gift} <is still on show|fills the first room>.",
        "<A new wing was added in {annex}.|In {annex} a new wing was added.>",
        "The old building has {rooms.n} rooms and the new wing {rooms_new.n}.",
        "The collection <numbers|comes to> {items}, of which {shown} are on display.",
        "The present director is {director}.",
        "<It should not be confused with|Its main rival is> the {b}<| in the next valley>, which was "
        "founded in {founded_b}.",
        ordered=True,
    ),
)
VISIT = layout(
    "visit",
    passage(
        "<Are you planning a visit to|Are you coming to|Is this your first time at> the {a}? <The entrance "
        "is at the side.|There are lockers for bags.|Photographs are allowed without flash.>",
        "We are open from {opens} to {shuts} every day except {closed}<|, when the house is cleaned>; on "
        "{late} there are evening tours.",
        "Adults pay {adult}, children {child}.",
        "<On show this month is a display of|Do not miss our> {gift}<|, lent by a private collector>.",
        "<Next week|On Thursday> we expect a class of {class_} from {x}, all at the child's price.",
        "Guided walks are led by {guide}, and workshops by {workshop}.",
        "There are {items} in the house, but only {shown} of them <can be seen|are on display> at a time.",
        "<Our café|The museum café>, in the {house}, is run by {cook}.",
    ),
)
NEWS = layout(
    "news",
    passage(
        "<The two museums of the district have published their figures.|Good news from the local museums "
        "this year.|Both museums in the district reported on Friday.>",
        "The {a} <counted|welcomed> {visits} last year.",
        "The {b} <counted|welcomed> {visits_b} last year.",
        "The {a} <was founded in|has existed since> {founded} and is headed by {director}.",
        "The {b} <was founded in|has existed since> {founded_b} and is headed by {director_b}.",
        "<Storage is a worry:|The depot is full:> the {a} now owns {items}.",
        "The {b} <owns|holds> {items_b}.",
        "A ticket to the {a} costs {adult}<|, as it did before>.",
    ),
)
LABELS = layout(
    "labels",
    passage(
        "Room sheet, {a}",
        "Carved sign over the door: from the {house}",
        "{s}: made in {made} by {maker}",
        "{t}: made in {made_b} by {maker_b}",
        "{s}: given by a family in {x}",
        "{t}: given by a family in {y}",
        "Number of objects in the house: {items.n}",
        "Share of the objects on display: {shown}",
        "Rooms in the old building: {rooms.n}",
        "Rooms in the new wing: {rooms_new.n}",
        "Ticket: {adult}",
        lines=True,
        most=8,
    ),
    held_out=True,
)
GIFTS = layout(
    "gifts",
    passage(
        "<Some of our best pieces were gifts.|Friends of the museums gave three pieces this year.>",
        "The {s} in the {a} was given by {donor}.",
        "The {t} in the {b} was given by {donor_b}.",
        "The {u} in the {c} was given by {donor_c}.",
        heading="<Gifts of the year|Thanks to our donors>",
        most=3,
    ),
    passage(
        "<Who are the donors?|A few words about the donors.>",
        "{donor} <runs|owns> a <boatyard|bakery|saddlery> in {home}.",
        "{donor_b} <runs|owns> a <print shop|vineyard|tea house> in {home_b}.",
        heading="<The people behind the gifts|Short portraits>",
    ),
)
LOANS = layout(
    "loans",
    passage(
        "<Three objects are away this season.|The register of loans has new entries.>",
        "The {s} has gone to the {a}.",
        "The {t} has gone to the {b}.",
        "The {u} has gone to the {c}.",
        heading="<Loans|Register of loans>",
        most=3,
    ),
    passage(
        "<From the catalogue:|The catalogue says this about them.>",
        "The {s} was made in {made} by {p}<|, whose mark is on the back>.",
        "The {t} was made in {made_b} by {q}<| and repaired twice since>.",
        heading="<Catalogue|Catalogue notes>",
    ),
    passage(
        "<The makers had their workshops in the district.|Something about the makers.>",
        "{p} had a workshop in {x}<|, next to the mint>.",
        "{q} had a workshop in {y}<|, above a stable>.",
        heading="<Makers|Old workshops>",
    ),
)

QUESTIONS = (
    fact("Who founded the {a}?", "founder"),
    fact("In which year was the {a} founded?", "founded"),
    fact("When was the new wing of the {a} added?", "annex"),
    fact("Who is the <present |>director of the {a}?", "director"),
    fact("Who is the director of the {b}?", "director_b"),
    fact("Who leads the guided walks?", "guide"),
    fact("Who leads the workshops at the {a}?", "workshop"),
    fact("Who runs the café of the {a}?", "cook"),
    fact("Who made the {t}?", "maker_b"),
    fact("In which year was the {s} made?", "made"),
    fact("In which year was the {b} founded?", "founded_b"),
    fact("On which day of the week is the {a} closed?", "closed"),
    fact("At what time does the {a} open?", "opens"),
    fact("What does a child pay at the {a}?", "child"),
    fact("How many objects does the {a} <own|have>?", "items"),
    fact("How many visitors did the {a} have last year?", "visits"),
    fact("How many visitors did the {b} have last year?", "visits_b"),
    calc(
        "difference",
        "How many years after its founding did the {a} get a new wing?",
        "annex",
        "founded",
        unit="years",
    ),
    calc(
        "sum",
        "How many rooms do the old building and the new wing have together?",
        "rooms",
        "rooms_new",
        unit="rooms",
    ),
    calc("percent_of", "How many objects of the {a} are on display?", "items", "shown", unit="objects"),
    calc("time_between", "For how long is the {a} open on a normal day?", "opens", "shuts"),
    calc("product", "How much does the class from {x} pay in all?", "class_", "child", unit="money"),
    calc("sum", "How much do one adult and one child pay together?", "adult", "child", unit="money"),
    calc(
        "sum",
        "How many visitors did the two museums have together last year?",
        "visits",
        "visits_b",
        unit="visitors",
    ),
    calc(
        "difference",
        "By how many objects do the collections of the {a} and the {b} differ?",
        "items",
        "items_b",
        unit="objects",
    ),
    calc(
        "difference",
        "How many years lie between the making of the {s} and the making of the {t}?",
        "made",
        "made_b",
        unit="years",
    ),
    pick("earliest", "Which museum is older, the {a} or the {b}?", ("a", "founded"), ("b", "founded_b")),
    pick(
        "largest",
        "Which museum had more visitors last year, the {b} or the {a}?",
        ("a", "visits"),
        ("b", "visits_b"),
    ),
    pick("largest", "Which museum owns more objects, the {a} or the {b}?", ("a", "items"), ("b", "items_b")),
    hop("In which town does the person who gave the {s} have a business?", "s", "donor", "home", foil="home_b"),
    hop("In which town does the donor to the {b} have a business?", "b", "donor_b", "home_b", foil="home"),
    hop(
        "Where was the workshop of the person who made the object now at the {a}?",
        "a",
        "s",
        "p",
        "x",
        foil="y",
    ),
    hop(
        "In which town did the maker of the piece that went to the {b} have a workshop?",
        "b",
        "t",
        "q",
        "y",
        foil="x",
    ),
    hop("When was the object made that has gone to the {b}?", "b", "t", "made_b", foil="made"),
)

TOPIC = Topic("museum", world, (GUIDE, VISIT, NEWS, LABELS, GIFTS, LOANS), QUESTIONS)
