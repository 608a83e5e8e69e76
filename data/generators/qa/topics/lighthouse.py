"""Lighthouses: towers, keepers, wrecks."""

from ..cast import Cast, World
from ..schema import Topic, calc, fact, hop, layout, passage, pick

SHIPS = (
    "Heron",
    "Margarethe",
    "Silver Tern",
    "Constance",
    "Polar Maid",
    "Anna Regina",
    "Falcon",
    "Western Star",
    "Delphine",
    "Orient Pearl",
    "Kestrel",
    "Three Brothers",
)


def world(cast: Cast) -> World:
    """Return three lighthouses with their people, sizes and dates."""
    a, b, c = (cast.site("* Light", "light", "*", "* Lighthouse") for _ in range(3))
    p, q, r = cast.people(3)
    x, y = cast.towns(2)
    (lit,), (wired,), (auto,) = (
        cast.years(1, 1838, 1895),
        cast.years(1, 1905, 1955),
        cast.years(1, 1964, 1998),
    )
    (lit_b,) = cast.years(1, 1845, 1930)
    s, t, u = (cast.name("*", "ship", SHIPS, "The *") for _ in range(3))
    wreck_s, wreck_t = cast.years(2, 1850, 1935)
    (opens,), (shuts,) = cast.clocks(1, 9, 11, step=15), cast.clocks(1, 15, 19, step=15)
    return {
        "engineer": q,
        "guide": p,
        "till": q,
        "keeper": p,
        "keeper_b": q,
        "a": a,
        "b": b,
        "c": c,
        "p": p,
        "q": q,
        "r": r,
        "x": x,
        "y": y,
        "s": s,
        "t": t,
        "u": u,
        "lit": lit,
        "wired": wired,
        "auto": auto,
        "lit_b": lit_b,
        "wreck_s": wreck_s,
        "wreck_t": wreck_t,
        "opens": opens,
        "shuts": shuts,
        "high": cast.measure(14, 58, "metres"),
        "high_b": cast.measure(14, 58, "metres"),
        "reach": cast.measure(11, 28, "nautical miles"),
        "reach_b": cast.measure(11, 28, "nautical miles"),
        "steps": cast.count(60, 240, "steps"),
        "visits": cast.count(1200, 9800, "visitors", 20),
        "adult": cast.money(5, 14),
        "child": cast.money(2, 4),
        "group": cast.count(3, 15, "adults"),
        "stone": cast.phrase("phrase", "granite, brick, cast iron, limestone, concrete, basalt"),
        "paint": cast.phrase("phrase", "white, red, yellow, black, grey, orange"),
    }


ENCYCLOPEDIA = layout(
    "encyclopedia",
    passage(
        "{a} is a lighthouse on <a low headland|the seaward side of a small island|a rocky point> <a few "
        "miles from|just outside|north of> {x}.",
        "<The lamp was first lit in|The tower first showed a light in|The keepers lit it for the first time in> {lit}.",
        "The <oil burner gave way to electricity|lamp was connected to the electric grid> in {wired}.",
        "The <last keeper left|light was automated and its staff withdrawn> in {auto}.",
        "The {stone} tower of {a} <rises|stands> {high} above its base<|, and its gallery is painted {paint}>.",
        "On a clear night {a} can be seen <from {reach} away|at a distance of {reach}>.",
        "The nearest other light, {b}, <dates from|was first lit in> {lit_b} and is {high_b} tall.",
        "<Plans for {a} were drawn by|The engineer of {a} was> {engineer}<|, who never saw it finished>.",
        ordered=True,
    ),
)
LEAFLET = layout(
    "leaflet",
    passage(
        "<Welcome to {a}!|Thank you for visiting {a}.|A day at {a}:> <The climb is steep, so please wear "
        "firm shoes.|Please keep children close on the stairs.|Dogs are welcome in the yard but not on the "
        "stairs.>",
        "The tower opens at {opens} and the last visitors must be down by {shuts}.",
        "There are {steps} <to the lantern room|between the door and the lantern room>.",
        "<Tickets are|Admission is> {adult} for adults and {child} for children.",
        "Last season {visits} <made the climb|came up the tower>.",
        "Your guide <this summer|on most days> is {guide}; the shop is run by {till}.",
        "<From the top you can make out|Look for> {b}, which is {high_b} tall<|, across the water>.",
        "{a} itself is {high} tall and was first lit in {lit}.",
        "<A party from {x} booked|A walking club from {x} has booked> the tower for {group}, all paying "
        "the adult price.",
    ),
)
REPORT = layout(
    "report",
    passage(
        "<Notes from the harbour board on|The harbour board has written up its inspection of|This is the "
        "yearly report on> {a} and {b}.",
        "{a} <was first lit in|has been lit since> {lit}; the newer lens is still in its crate.",
        "{b} <was first lit in|has been lit since> {lit_b} and needs a fresh coat of {paint} paint.",
        "The tower of {a} <measures|is> {high} from base to vane.",
        "The tower of {b} <measures|is> {high_b} from base to vane.",
        "With the present lamp {a} carries {reach}.",
        "With the present lamp {b} carries {reach_b}.",
        "{keeper} <looks after|is in charge of> {a}, and {keeper_b} <looks after|has the same post at> {b}.",
    ),
)
CARD = layout(
    "card",
    passage(
        "Station card: {a}",
        "First lit: {lit}",
        "Electric lamp: {wired}",
        "Automated: {auto}",
        "Height of tower: {high}",
        "Range: {reach}",
        "Range of the sister station, {b}: {reach_b}",
        "Height of the sister station, {b}: {high_b}",
        "Material: {stone}",
        "Colour of gallery: {paint}",
        "Engineer: {engineer}",
        "Caretaker: {keeper}",
        "Steps to the lantern: {steps.n}",
        lines=True,
        most=8,
    ),
    held_out=True,
)
ROLL = layout(
    "roll",
    passage(
        "<The coast service named its caretakers in spring.|Three stations have caretakers this year.>",
        "{a} <went to|is looked after by> {p}.",
        "{b} <went to|is in the hands of> {q}.",
        "{c} <went to|is kept by> {r}.",
        heading="<Coast service roll|Who keeps which light>",
        most=3,
    ),
    passage(
        "<We asked around about the people behind the lamps.|Short portraits for our readers.>",
        "{p} comes from {x} and <came to the coast as a diver|used to repair clocks|once drove a milk van>.",
        "{q} comes from {y} and <spent years on trawlers|plays the accordion|still writes every letter by hand>.",
        heading="<Portraits|From the newsletter>",
    ),
)
WRECKS = layout(
    "wrecks",
    passage(
        "<Ships lost on this coast are listed by the nearest light.|The diving club keeps a list of wrecks.>",
        "The wreck below {a} is that of the {s}.",
        "The wreck below {b} is that of the {t}.",
        "Off {c} lie the remains of the {u}.",
        heading="<Wreck list|For divers>",
        most=3,
    ),
    passage(
        "<The museum's ship files give the following.|Copied from the shipping register:>",
        "The {s}, <a barque|a schooner|a brig> <built at|launched at> {x}, <sank|went down> in {wreck_s}.",
        "The {t}, <a steamer|a ketch|a collier> <built at|launched at> {y}, <sank|went down> in {wreck_t}.",
        heading="<Ship files|Register of vessels>",
    ),
)

QUESTIONS = (
    fact("<In which year|When> was {a} first lit?", "lit"),
    fact("<In which year|When> did {a} get an electric lamp?", "wired"),
    fact("<In which year|When> was {a} automated?", "auto"),
    fact("How tall is <the tower of |>{a}?", "high"),
    fact("From how far away can the light of {a} be seen?", "reach"),
    fact("What is the tower of {a} built of?", "stone"),
    fact("How tall is {b}?", "high_b"),
    fact("Who was the engineer of {a}?", "engineer"),
    fact("Who is the guide at {a}?", "guide"),
    fact("Who runs the shop at {a}?", "till"),
    fact("Who looks after {a}?", "keeper"),
    fact("Who looks after {b}?", "keeper_b"),
    fact("What colour is the gallery of {a}?", "paint"),
    fact("How many steps lead to the lantern room of {a}?", "steps"),
    fact("At what time does {a} open<| to visitors>?", "opens"),
    fact("What does a child's ticket cost at {a}?", "child"),
    fact("How much does an adult pay at {a}?", "adult"),
    fact("How many visitors climbed {a} last season?", "visits"),
    fact("In which year was {b} first lit?", "lit_b"),
    calc(
        "difference",
        "How many years after it was first lit did {a} get an electric lamp?",
        "wired",
        "lit",
        unit="years",
    ),
    calc("difference", "For how many years was {a} lit before it was automated?", "auto", "lit", unit="years"),
    calc(
        "difference",
        "<What is the difference in height between|By how many metres do the heights differ of> {a} and {b}?",
        "high",
        "high_b",
        unit="metres",
    ),
    calc(
        "difference",
        "By how many nautical miles do the ranges of {a} and {b} differ?",
        "reach",
        "reach_b",
        unit="nautical miles",
    ),
    calc(
        "time_between",
        "For how long is {a} open each day, from opening until the last visitors must be down?",
        "opens",
        "shuts",
    ),
    calc("product", "How much does the party from {x} pay in all?", "group", "adult", unit="money"),
    calc("sum", "What do one adult and one child pay together at {a}?", "adult", "child", unit="money"),
    pick("largest", "Which is taller, {a} or {b}?", ("a", "high"), ("b", "high_b")),
    pick("smallest", "Which of the two towers is lower, {b} or {a}?", ("a", "high"), ("b", "high_b")),
    pick("earliest", "Which was lit first, {a} or {b}?", ("a", "lit"), ("b", "lit_b")),
    pick("largest", "Which light reaches farther, {a} or {b}?", ("a", "reach"), ("b", "reach_b")),
    hop(
        "<Which town does the caretaker of {a} come from|Where does the caretaker of {a} come from>?",
        "a",
        "p",
        "x",
        foil="y",
    ),
    hop(
        "<Which town does the person who keeps {b} come from|From which town is the caretaker of {b}>?",
        "b",
        "q",
        "y",
        foil="x",
    ),
    hop("Where was the ship built that lies below {a}?", "a", "s", "x", foil="y"),
    hop("In which year did the ship below {b} sink?", "b", "t", "wreck_t", foil="wreck_s"),
    hop("In which year did the ship below {a} sink?", "a", "s", "wreck_s", foil="wreck_t"),
)

TOPIC = Topic("lighthouse", world, (ENCYCLOPEDIA, LEAFLET, REPORT, CARD, ROLL, WRECKS), QUESTIONS)
