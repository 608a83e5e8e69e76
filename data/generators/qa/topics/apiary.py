"""Beekeeping (held out): hives, honey, courses."""

from ..cast import Cast, World
from ..schema import Topic, calc, fact, hop, layout, passage, pick

YARDS = (
    "Heather Yard",
    "Canal Yard",
    "Rooftop Yard",
    "Clover Yard",
    "Quarry Yard",
    "Linden Yard",
    "Chapel Yard",
    "Meadow Yard",
)
HONEYS = (
    "Bramble Gold",
    "Lime Blossom",
    "Dark Forest",
    "Spring Cream",
    "Buckwheat Night",
    "Heath Amber",
    "Rape Ivory",
    "Chestnut Bitter",
)


def world(cast: Cast) -> World:
    """Return bee yards with keepers, hives, honey and dates."""
    a, b, c = (cast.name("*", "yard", YARDS, "the *") for _ in range(3))
    u, v, w = (cast.name("*", "honey", HONEYS, "* honey") for _ in range(3))
    keeper, keeper_b, keeper_c, teacher, buyer, buyer_b = cast.people(6)
    swarm, harvest = cast.dates(2, first=5, last=8, span=40)
    (fair,) = cast.dates(1, first=9, last=11)
    (joined,), (joined_b,) = cast.years(1, 1985, 2003), cast.years(1, 2004, 2021)
    start, end = cast.clocks(2, 9, 16, gap=60, step=15)
    return {
        "keeper_a": keeper,
        "flower_a": cast.phrase("phrase", "rosemary, white clover, heather, apple trees, borage, mustard"),
        "a": a,
        "b": b,
        "c": c,
        "u": u,
        "v": v,
        "w": w,
        "keeper": keeper,
        "keeper_b": keeper_b,
        "keeper_c": keeper_c,
        "teacher": teacher,
        "buyer": buyer,
        "buyer_b": buyer_b,
        "x": cast.town(),
        "y": cast.town(),
        "swarm": swarm,
        "harvest": harvest,
        "fair": fair,
        "joined": joined,
        "joined_b": joined_b,
        "start": start,
        "end": end,
        "hives": cast.count(6, 39, "hives"),
        "hives_b": cast.count(6, 39, "hives"),
        "per": cast.measure(9, 24, "kilograms"),
        "lost": cast.count(2, 5, "hives"),
        "honey": cast.measure(120, 780, "kilograms", 10),
        "honey_b": cast.measure(120, 780, "kilograms", 10),
        "jars": cast.count(41, 390, "jars"),
        "price": cast.money(5, 14),
        "sold": cast.count(11, 40, "jars"),
        "people": cast.count(7, 25, "beginners"),
        "fee": cast.money(21, 60),
        "flower": cast.phrase("phrase", "lavender, wild thyme, lime trees, willowherb, sunflowers, acacia"),
        "enemy": cast.phrase("phrase", "hornets, a late frost, mites, a hungry badger, mice, floods"),
    }


REPORT = layout(
    "report",
    passage(
        "<A good year for the bees at {a}.|{a} has sent in its report.|From the yearly report on {a}:>",
        "{keeper_a} <looks after|keeps> {hives} at {a}, <next to the allotments|beside an old wall>, and "
        "has been a member since {joined}.",
        "<Each hive at {a} gave|At {a} the yield of each hive was> {per} of honey.",
        "Most of the nectar came from {flower_a}<|, which bloomed early>.",
        "<Losses were due to|The one real trouble came from> {enemy}.",
        "{b}, kept by {keeper_b} since {joined_b}, has {hives_b}.",
        "The honey was taken off on {harvest}; a swarm had left on {swarm}.",
    ),
    held_out=True,
)
STALL = layout(
    "stall",
    passage(
        "<Honey stall of the beekeepers' club.|The beekeepers' club is at the market.|At the honey stall:>",
        "From {a} there are {honey} of honey, from {b} {honey_b}.",
        "We brought {jars} of {u}, and {sold} were sold before noon.",
        "A jar costs {price}<|, whatever the kind>.",
        "{v} comes from hives near {y}<|, and it is nearly black>.",
        "The beginners' course takes {people} at {fee} each.",
        "The beginners' course is taught by {teacher} and runs from {start} to {end}.",
        "The club's fair is on {fair}, and {keeper} <judges|will judge> the cakes.",
    ),
    held_out=True,
)
KEEPERS = layout(
    "keepers",
    passage(
        "<The club's yards and their keepers.|Who keeps which yard?>",
        "{a} is kept by {keeper}.",
        "{b} is kept by {keeper_b}.",
        "{c} is kept by {keeper_c}.",
        heading="<Yards|List of yards>",
        most=3,
    ),
    passage(
        "<Membership roll.|From the roll of members.>",
        "{keeper} joined the club in {joined} and lives in {x}.",
        "{keeper_b} joined the club in {joined_b} and lives in {y}.",
        heading="<Roll|Members>",
    ),
    held_out=True,
)
HONEYS_LIST = layout(
    "honeys",
    passage(
        "<Each yard gives its own honey.|Which honey comes from where?>",
        "{a} gives {u}.",
        "{b} gives {v}.",
        "{c} gives {w}.",
        heading="<Honeys|Yards and honeys>",
        most=3,
    ),
    passage(
        "<The tasting was held on Sunday.|Words of the tasters.>",
        "{u} won the prize of {buyer} and tastes of {flower}.",
        "{v} won the prize of {buyer_b} and tastes of <caramel|mint|pepper>.",
        heading="<Tasting|Honey tasting>",
    ),
    held_out=True,
)

QUESTIONS = (
    fact("How many hives are there at {a}?", "hives"),
    fact("How many hives does {b} have?", "hives_b"),
    fact("Who keeps {a}?", "keeper_a"),
    fact("Where did most of the nectar come from?", "flower_a"),
    fact("What caused the losses?", "enemy"),
    fact("On which date was the honey taken off?", "harvest"),
    fact("On which date did the swarm leave?", "swarm"),
    fact("What does a jar of honey cost?", "price"),
    fact("Who teaches the beginners' course?", "teacher"),
    fact("How much does the beginners' course cost for each person?", "fee"),
    calc(
        "product",
        "How many kilograms of honey did all the hives of {a} give?",
        "hives",
        "per",
        unit="kilograms",
    ),
    calc("sum", "How many hives do {a} and {b} have together?", "hives", "hives_b", unit="hives"),
    calc(
        "days_between",
        "How many days after the swarm left was the honey taken off?",
        "swarm",
        "harvest",
        unit="days",
    ),
    calc("remainder", "How many jars of {u} were left at noon?", "jars", "sold", unit="jars"),
    calc("product", "How much do all the beginners pay for the course together?", "people", "fee", unit="money"),
    calc("time_between", "How long does the beginners' course last?", "start", "end"),
    calc(
        "difference",
        "By how many kilograms does the honey from {a} and from {b} differ?",
        "honey",
        "honey_b",
        unit="kilograms",
    ),
    pick("largest", "Which yard has more hives, {a} or {b}?", ("a", "hives"), ("b", "hives_b")),
    pick("largest", "From which yard is there more honey, {b} or {a}?", ("a", "honey"), ("b", "honey_b")),
    hop("In which town does the keeper of {a} live?", "a", "keeper", "x", foil="y"),
    hop("In which year did the keeper of {b} join the club?", "b", "keeper_b", "joined_b", foil="joined"),
    hop("Where does the person who keeps {b} live?", "b", "keeper_b", "y", foil="x"),
    hop("Whose prize did the honey from {a} win?", "a", "u", "buyer", foil="buyer_b"),
    hop("Whose prize went to the honey of {b}?", "b", "v", "buyer_b", foil="buyer"),
)

TOPIC = Topic("apiary", world, (REPORT, STALL, KEEPERS, HONEYS_LIST), QUESTIONS, held_out=True)
