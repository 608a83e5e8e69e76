"""Ferries: routes, boats, timetables."""

from ..cast import Cast, World
from ..schema import Topic, calc, fact, hop, layout, passage, pick

BOATS = (
    "Sea Lark",
    "Halcyon",
    "Morning Grace",
    "Vesna",
    "Blue Marlin",
    "Skua",
    "Lady Oriel",
    "Tamarind",
    "Nordlys II",
    "Puffin",
    "Amber Wave",
    "Corriedale",
)
ROUTES = ("Red", "Green", "Yellow", "Violet", "Orange", "Silver", "Turquoise", "Brown")


def world(cast: Cast) -> World:
    """Return two ferry boats, their routes, crews and timetable."""
    s, t, u = (cast.name("*", "boat", BOATS, "the *", "MV *") for _ in range(3))
    a, b, c = (cast.name("* Route", "route", ROUTES, "*") for _ in range(3))
    x, y, z, w = cast.towns(4)
    p, q, r = cast.people(3, "Captain")
    master, master_b = cast.people(2)
    leave, leave_b, last = cast.clocks(3, 7, 20, gap=95)
    (first,) = cast.clocks(1, 5, 8)
    built, refit = cast.years(2, 1974, 2019, gap=5)
    (built_b,) = cast.years(1, 1970, 2021)
    return {
        "master": master,
        "master_b": master_b,
        "a": a,
        "b": b,
        "c": c,
        "s": s,
        "t": t,
        "u": u,
        "x": x,
        "y": y,
        "z": z,
        "w": w,
        "p": p,
        "q": q,
        "r": r,
        "leave": leave,
        "first": first,
        "leave_b": leave_b,
        "last": last,
        "built": built,
        "refit": refit,
        "built_b": built_b,
        "takes": cast.measure(25, 90, "minutes", 5),
        "takes_b": cast.measure(25, 95, "minutes", 5),
        "seats": cast.count(90, 420, "passengers", 10),
        "seats_b": cast.count(90, 420, "passengers", 10),
        "cars": cast.count(12, 64, "cars"),
        "trips": cast.count(3, 9, "crossings"),
        "fare": cast.money(6, 19),
        "bike": cast.money(2, 5),
        "car": cast.money(21, 48),
        "group": cast.count(4, 18, "walkers"),
        "crew": cast.count(5, 14, "crew members"),
        "hull": cast.phrase("phrase", "white, dark green, navy blue, bright red, pale yellow"),
        "snack": cast.phrase("phrase", "fish soup, cheese rolls, cinnamon buns, lentil stew, waffles, dumplings"),
    }


TIMETABLE = layout(
    "timetable",
    passage(
        "<Passengers, please note the following for|Timetable notes for|Summer service:> the ferry {s} "
        "between {x} and {y}.",
        "The first boat leaves {x} at {first} and the last one at {last}.",
        "<The crossing takes|Allow> {takes}<| in calm weather>.",
        "<A single ticket costs|The single fare is> {fare} per person<|, whatever the season>.",
        "Bicycles travel for {bike} each, and a car <costs|is charged> {car}.",
        "The {s} makes {trips} a day from {x}, and <carries up to|has room for> {seats} each time.",
        "A party of {group} from {z} has booked the first boat <and pays the single fare each|at the "
        "single fare each>.",
        "The galley <sells|serves> {snack}.",
    ),
)
PROFILE = layout(
    "profile",
    passage(
        "The {s} is a <small|sturdy|rather elegant> car ferry <painted {hull}|with a {hull} hull>.",
        "She was built in {built} <at a yard in|by a family yard in> {w}.",
        "<In {refit} her engines were replaced.|Her engines were replaced in {refit}.>",
        "There is room on board for {seats} and {cars}.",
        "Her crew of {crew.n} <is led by|sails under> Captain {p}<|, a keen chess player>.",
        "She <links|runs between> {x} and {y}, a trip of {takes}.",
        "Her running mate, the {t}, dates from {built_b} and carries {seats_b}.",
        "<Regulars of the {s} come for|The canteen of the {s} is known for> its {snack}.",
        ordered=True,
    ),
)
LETTER = layout(
    "letter",
    passage(
        "<Dear Aunt, we are on the island at last!|Dear all, a quick note from the quay.|Hello from the islands!>",
        "We took the {s}, <which|and she> left {x} at {leave}; the crossing to {y} <took|lasted> {takes}.",
        "Tomorrow we sail on the {t}, which leaves {y} for {z} at {leave_b} and needs {takes_b}.",
        "The {s} was half empty although she <takes|holds> {seats}.",
        "They say that the {t} <takes|holds> {seats_b}.",
        "I paid {fare} for my ticket and {bike} for the bicycle.",
        "<On board we ate|Lunch was> {snack}, and Captain {p} <waved at us|told a long story>.",
        "The {t} is under Captain {q}, <they tell me|I hear>.",
        ordered=True,
    ),
)
BOARD = layout(
    "board",
    passage(
        "Departure board, {x}",
        "{s} to {y}: leaves {leave}, crossing time {takes}",
        "{t} to {z}: leaves {leave_b}, crossing time {takes_b}",
        "Room on the {s}: {seats}",
        "Room on the {t}: {seats_b}",
        "Single fare: {fare}",
        "Bicycle: {bike}",
        "Car: {car}",
        "Captain of the {s}: {p}",
        "Captain of the {t}: {q}",
        "Crew of the {s}: {crew.n}",
        lines=True,
        most=7,
    ),
    held_out=True,
)
ROUTE_MAP = layout(
    "routes",
    passage(
        "<Each route has its own boat this summer.|From June the boats are shared out as follows.>",
        "The {a} is <served by|sailed by> the {s}.",
        "The {b} is <served by|sailed by> the {t}.",
        "The {c} belongs to the {u}.",
        heading="<Route map|Which boat sails where>",
        most=3,
    ),
    passage(
        "<The company keeps a fleet book.|A few lines from the fleet book.>",
        "The {s} was <built|put together> at {x} in {built} and is steered by Captain {p}.",
        "The {t} was <built|put together> at {y} in {built_b}; her captain is {q}.",
        heading="<Fleet book|The boats>",
    ),
)
CREW = layout(
    "crew",
    passage(
        "<The week's duty list is out.|Duties from Monday on are fixed.>",
        "Captain {p} has the {s}.",
        "Captain {q} has the {t}.",
        "Captain {r} <stays ashore|has the week off>.",
        heading="<Duty list|Crew notices>",
        most=3,
    ),
    passage(
        "<The boats change places again.|Here is where the boats go.>",
        "The {s} sails from {x} to {y} with the first departure at {leave}.",
        "The {t} sails from {z} to {w} with the first departure at {leave_b}.",
        heading="<Sailings|Where the boats go>",
    ),
)
HARBOURS = layout(
    "harbours",
    passage(
        "<Boats lie in different harbours at night.|Night berths for the winter:>",
        "The {s} spends the night at {x}.",
        "The {t} spends the night at {y}.",
        "The {u} spends the night at {z}.",
        heading="<Night berths|Harbour office>",
        most=3,
    ),
    passage(
        "<Every harbour has somebody on duty.|Harbour masters can be reached at any hour.>",
        "At {x} the harbour master is {master}.",
        "At {y} the harbour master is {master_b}.",
        heading="<On duty|Harbour masters>",
    ),
    held_out=True,
)

QUESTIONS = (
    fact("At what time does the first boat leave {x}?", "first"),
    fact("What was the departure time of the {s} from {x}?", "leave"),
    fact("At what time does the {t} leave for {z}?", "leave_b"),
    fact("At what time does the last boat <leave|go>?", "last"),
    fact("How long does the crossing between {x} and {y} take?", "takes"),
    fact("What does it cost to take a bicycle on the {s}?", "bike"),
    fact("What is charged for a car?", "car"),
    fact("<What can people eat on board the {s}?|What food is to be had on the {s}?>", "snack"),
    fact("In which year was the {s} built?", "built"),
    fact("In which year were the engines of the {s} replaced?", "refit"),
    fact("Who is captain of the {s}?", "p"),
    fact("Who is captain of the {t}?", "q"),
    fact("What colour is the hull of the {s}?", "hull"),
    fact("How many passengers can the {s} carry?", "seats"),
    fact("How many passengers can the {t} carry?", "seats_b"),
    fact("How many cars fit on the {s}?", "cars"),
    fact("How many people are in the crew of the {s}?", "crew"),
    calc("time_after", "When does the first boat from {x} <reach|arrive at> {y}?", "first", "takes"),
    calc("time_after", "If the {s} kept to these times, when did she reach {y}?", "leave", "takes"),
    calc("time_after", "At what time does the {t} reach {z}?", "leave_b", "takes_b"),
    calc(
        "time_between",
        "How much time lies between the first and the last departure from {x}?",
        "first",
        "last",
    ),
    calc("product", "How much do the walkers from {z} pay <in all|altogether>?", "group", "fare", unit="money"),
    calc(
        "product",
        "How many passengers can the {s} <carry|take> from {x} in one day, if every crossing is full?",
        "trips",
        "seats",
        unit="passengers",
    ),
    calc("sum", "What does one person with one bicycle pay in all?", "fare", "bike", unit="money"),
    calc(
        "difference",
        "How many years passed between the building of the {s} and <the replacement of her engines|her new engines>?",
        "refit",
        "built",
        unit="years",
    ),
    calc(
        "difference",
        "By how many passengers do the {s} and the {t} differ in capacity?",
        "seats",
        "seats_b",
        unit="passengers",
    ),
    calc(
        "difference",
        "By how many minutes do the crossing times of the {s} and the {t} differ?",
        "takes",
        "takes_b",
        unit="minutes",
    ),
    pick("largest", "Which boat carries more passengers, the {s} or the {t}?", ("s", "seats"), ("t", "seats_b")),
    pick("earliest", "Which is the older boat, the {t} or the {s}?", ("s", "built"), ("t", "built_b")),
    pick(
        "smallest",
        "Which boat has the shorter crossing, the {s} or the {t}?",
        ("s", "takes"),
        ("t", "takes_b"),
    ),
    hop("In which <town|place> was the boat on the {a} built?", "a", "s", "x", foil="y"),
    hop("In which year was the boat that sails the {b} built?", "b", "t", "built_b", foil="built"),
    hop("Who is captain on the {a}?", "a", "s", "p", foil="q"),
    hop("Who is captain on the {b}?", "b", "t", "q", foil="p"),
    hop("From which town does Captain {p} sail?", "p", "s", "x", foil="z"),
    hop("At what time is the first departure of Captain {q}'s boat?", "q", "t", "leave_b", foil="leave"),
    hop("Who is harbour master where the {s} spends the night?", "s", "x", "master", foil="master_b"),
    hop("Which harbour master is on duty where the {t} lies at night?", "t", "y", "master_b", foil="master"),
)

TOPIC = Topic("ferry", world, (TIMETABLE, PROFILE, LETTER, BOARD, ROUTE_MAP, CREW, HARBOURS), QUESTIONS)
