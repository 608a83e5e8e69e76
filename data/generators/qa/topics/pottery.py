"""Pottery workshops: firings, orders, glazes."""

from ..cast import Cast, World
from ..schema import Topic, calc, fact, hop, layout, passage, pick

WARES = (
    "mugs",
    "soup bowls",
    "vases",
    "plates",
    "teapots",
    "flower pots",
    "candlesticks",
    "butter dishes",
    "jugs",
    "egg cups",
)
GLAZES = ("Sea Glass", "Burnt Honey", "Chalk", "Midnight Plum", "Moss", "Ash Rose", "Copper Rain", "Oyster")


def world(cast: Cast) -> World:
    """Return a workshop with wares, orders, kiln times and staff."""
    a, b, c = (cast.name("*", "ware", WARES, "the *") for _ in range(3))
    g, h, i = (cast.name("*", "glaze", GLAZES) for _ in range(3))
    owner, apprentice, painter, buyer, buyer_b, buyer_c, maker = cast.people(7)
    got, fire, due = cast.dates(3, first=4, last=10, span=24)
    on, off = cast.clocks(2, 5, 20, gap=400, step=15)
    (founded,) = cast.years(1, 1928, 1979)
    kiln = cast.later(founded, 5, 32)
    return {
        "shop": cast.site("* Pottery", "workshop", "*"),
        "a": a,
        "b": b,
        "c": c,
        "g": g,
        "h": h,
        "i": i,
        "owner": owner,
        "apprentice": apprentice,
        "painter": painter,
        "buyer": buyer,
        "buyer_b": buyer_b,
        "buyer_c": buyer_c,
        "maker": maker,
        "x": cast.town(),
        "y": cast.town(),
        "z": cast.town(),
        "got": got,
        "fire": fire,
        "due": due,
        "on": on,
        "off": off,
        "founded": founded,
        "kiln": kiln,
        "boss": owner,
        "lower": g,
        "upper": h,
        "brush": painter,
        "fit": cast.count(31, 90, "pieces"),
        "got_a": got,
        "shaped": got,
        "due_a": due,
        "heat_a": cast.measure(980, 1280, "degrees", 10),
        "n": cast.count(40, 190, "pieces"),
        "n_b": cast.count(40, 190, "pieces"),
        "broken": cast.count(3, 30, "pieces"),
        "price": cast.money(6, 18),
        "price_b": cast.money(19, 38),
        "load": cast.count(31, 90, "pieces"),
        "times": cast.count(3, 8, "firings"),
        "heat": cast.measure(980, 1280, "degrees", 10),
        "heat_b": cast.measure(980, 1280, "degrees", 10),
        "clay": cast.measure(120, 640, "kilograms", 10),
        "dry": cast.count(4, 15, "days"),
        "mark": cast.phrase("phrase", "a fish, a small crown, three dots, an oak leaf, a snail, a half moon"),
        "wood": cast.phrase("phrase", "beech, gas, electricity, pine, apple wood"),
    }


PROFILE = layout(
    "profile",
    passage(
        "{shop} is a workshop of five people <by a stream|behind a petrol station|in a former dairy> near {x}.",
        "It was founded in {founded} and <got its large kiln in|has had its large kiln since> {kiln}.",
        "The kiln is fired with {wood} and reaches {heat}<|, which takes most of a day>.",
        "<Every piece bears|The mark on every piece is> {mark}.",
        "{boss} runs the workshop, {apprentice} is the apprentice, and {brush} paints.",
        "Each firing takes {fit}, and there are {times} a month.",
        "The workshop uses {clay} of clay a month, <all of it|most of it> from a pit near {y}.",
        ordered=True,
    ),
)
ORDER = layout(
    "order",
    passage(
        "<Order book of {shop}, new entries.|New in the order book of {shop}.|{shop}, orders of the week.>",
        "{buyer} <wants|has ordered> {n.n} {a} at {price} each.",
        "{buyer_b} <wants|has ordered> {n_b.n} {b} at {price_b} each.",
        "The order for the {a} came in on {got_a} and is due on {due_a}.",
        "The {a} will be glazed in {g}, the {b} in {h}.",
        "So far {broken.n} of the {a} have cracked in the kiln.",
        "{apprentice} packs the {a}; {painter} writes the labels.",
    ),
)
KILN = layout(
    "kiln",
    passage(
        "<Kiln log of {shop}.|From the kiln log, {shop}.|Firing notes, {shop}.>",
        "The kiln was lit at {on} and switched off at {off}.",
        "The {a} were fired at {heat_a}, the {b} at {heat_b}.",
        "<Raw pots|Fresh pieces> dry for {dry}; this batch was shaped on {shaped}.",
        "Inside were {load}, of which {broken.n} came out cracked.",
        "The next firing is on {fire}, and the one after that on {due}.",
        "{maker} watched the fire, {apprentice} slept.",
        "The lower shelf held pieces glazed in {lower}, the upper shelf pieces glazed in {upper}.",
    ),
)
PRICES = layout(
    "price-list",
    passage(
        "Price list, {shop}",
        "{a}: {price} each",
        "{b}: {price_b} each",
        "Glaze of the {a}: {g}",
        "Glaze of the {b}: {h}",
        "Firing heat of the {a}: {heat_a}",
        "Firing heat of the {b}: {heat_b}",
        "In stock, {a}: {n}",
        "In stock, {b}: {n_b}",
        "Founded: {founded}",
        "Large kiln since: {kiln}",
        "Potter's mark: {mark}",
        "Runs the workshop: {boss}",
        "Painter: {brush}",
        lines=True,
        most=8,
    ),
    held_out=True,
)
BUYERS = layout(
    "buyers",
    passage(
        "<Deliveries for this week.|What goes out this week?>",
        "The {a} go to {buyer}.",
        "The {b} go to {buyer_b}.",
        "The {c} go to {buyer_c}.",
        heading="<Deliveries|Parcels>",
        most=3,
    ),
    passage(
        "<Addresses of customers.|Our customers live here.>",
        "{buyer} has a <café|gift shop|hotel> in {x}.",
        "{buyer_b} has a <tea room|flower shop|gallery> in {y}.",
        "{buyer_c} has a restaurant in {z}.",
        heading="<Address book|Customers>",
        most=2,
    ),
)
RECIPES = layout(
    "glazes",
    passage(
        "<Which glaze for which ware?|Glazes in use.>",
        "The {a} are dipped in {g}.",
        "The {b} are dipped in {h}.",
        "The {c} are dipped in {i}.",
        heading="<Glazing list|Glazes>",
        most=3,
    ),
    passage(
        "<From the glaze notebook.|Old notebook of glazes:>",
        "{g} was invented by {owner} in {founded}.",
        "{h} was invented by {painter} in {kiln}.",
        heading="<Notebook|Where the glazes come from>",
    ),
)

QUESTIONS = (
    fact("In which year was {shop} founded?", "founded"),
    fact("Since which year has {shop} had its large kiln?", "kiln"),
    fact("What is the mark on <every piece|the pieces> of {shop}?", "mark"),
    fact("What is the kiln fired with?", "wood"),
    fact("Who paints at {shop}?", "brush"),
    fact("Who runs {shop}?", "boss"),
    fact("How many pieces fit into one firing?", "fit"),
    fact("How much clay does {shop} use a month?", "clay"),
    fact("Who ordered the {a}?", "buyer"),
    fact("Who ordered the {b}?", "buyer_b"),
    fact("When is the order for the {a} due?", "due_a"),
    fact("In which glaze will the {a} be finished?", "g"),
    fact("At how many degrees were the {a} fired?", "heat_a"),
    fact("Who watched the fire?", "maker"),
    fact("On which date is the next firing?", "fire"),
    fact("What does each of the {a} cost?", "price"),
    calc("product", "What do all the {a} that {buyer} ordered cost?", "n", "price", unit="money"),
    calc("product", "What do all the {b} that {buyer_b} ordered cost?", "n_b", "price_b", unit="money"),
    calc("product", "How many pieces can be fired in a month?", "fit", "times", unit="pieces"),
    calc("sum", "How many pieces are there of {a} and {b} together?", "n", "n_b", unit="pieces"),
    calc(
        "difference",
        "How many years after its founding did {shop} get the large kiln?",
        "kiln",
        "founded",
        unit="years",
    ),
    calc(
        "days_between",
        "How many days are there from the arrival of the order for the {a} to its due date?",
        "got_a",
        "due_a",
        unit="days",
    ),
    calc("time_between", "How long was the kiln on?", "on", "off"),
    calc(
        "difference",
        "By how many degrees do the firing heats of {a} and {b} differ?",
        "heat_a",
        "heat_b",
        unit="degrees",
    ),
    calc("remainder", "How many pieces came out of the kiln unharmed?", "load", "broken", unit="pieces"),
    calc("date_after", "On which date will this batch be dry?", "shaped", "dry"),
    pick("largest", "Which were fired hotter, the {a} or the {b}?", ("a", "heat_a"), ("b", "heat_b")),
    pick("largest", "Of which ware are there more pieces, {a} or {b}?", ("a", "n"), ("b", "n_b")),
    fact("Which glaze was on the pieces on the upper shelf?", "upper"),
    hop("In which town do the {a} arrive?", "a", "buyer", "x", foil="y"),
    hop("To which town must the {b} be sent?", "b", "buyer_b", "y", foil="z"),
    hop("To which town do the {c} go?", "c", "buyer_c", "z", foil="x"),
    hop("Who invented the glaze of the {a}?", "a", "g", "owner", foil="painter"),
    hop("In which year was the glaze of the {b} invented?", "b", "h", "kiln", foil="founded"),
    hop("In which year was the glaze used for the {a} invented?", "a", "g", "founded", foil="kiln"),
)

TOPIC = Topic("pottery", world, (PROFILE, ORDER, KILN, PRICES, BUYERS, RECIPES), QUESTIONS)
