"""Orchards: trees, varieties, harvests."""

from ..cast import Cast, World
from ..schema import Topic, calc, fact, hop, layout, passage, pick

APPLES = (
    "Winter Lantern",
    "Red Piper",
    "Goldcap",
    "Abbot's Blush",
    "Late Marigold",
    "Honey Drum",
    "Grey Duchess",
    "Rosy Miller",
    "Frost Pearl",
    "Copper Queen",
    "Bell Russet",
    "Sweet Harriet",
)
FARMS = (
    "Stonegate Farm",
    "Willow End",
    "Low Meadow Farm",
    "Three Wells",
    "Larkhill Farm",
    "Foxglove Orchard",
    "Nutbrook Farm",
    "High Terrace",
    "Old Mill Orchard",
    "Hazel Bank",
)


def world(cast: Cast) -> World:
    """Return orchards with their growers, varieties and harvest figures."""
    a, b, c = (cast.name("*", "farm", FARMS) for _ in range(3))
    u, v, w = (cast.name("*", "apple", APPLES, "the * apple", "* apples") for _ in range(3))
    x, y = cast.towns(2)
    p, q, r = cast.people(3)
    (bloom,) = cast.dates(1, first=4, last=6)
    start, stop, sale = cast.dates(3, first=8, last=11, span=24)
    planted, bought = cast.years(2, 1921, 2012, gap=7)
    bred, bred_b = cast.years(2, 1840, 1975, gap=6)
    return {
        "main": u,
        "crates_u": cast.count(120, 680, "crates", 10),
        "crates_v": cast.count(120, 680, "crates", 10),
        "market": sale,
        "stock": cast.measure(120, 870, "litres", 10),
        "foreman": q,
        "breeder": r,
        "a": a,
        "b": b,
        "c": c,
        "u": u,
        "v": v,
        "w": w,
        "x": x,
        "y": y,
        "p": p,
        "q": q,
        "r": r,
        "bloom": bloom,
        "start": start,
        "stop": stop,
        "sale": sale,
        "planted": planted,
        "bought": bought,
        "tool": cast.phrase("phrase", "a cider press, a folding ladder, a fruit knife"),
        "tool_b": cast.phrase("phrase", "a wheelbarrow, a frost alarm, a seed drill"),
        "bred": bred,
        "bred_b": bred_b,
        "rows": cast.count(11, 38, "rows"),
        "per_row": cast.count(8, 26, "trees"),
        "dead": cast.count(3, 40, "trees"),
        "crates": cast.count(120, 680, "crates", 10),
        "crates_b": cast.count(120, 680, "crates", 10),
        "sold": cast.count(40, 110, "crates", 5),
        "crate": cast.measure(12, 24, "kilograms"),
        "juice": cast.measure(150, 900, "litres", 10),
        "price": cast.money(3, 9),
        "pickers": cast.count(5, 29, "pickers"),
        "wage": cast.money(61, 97),
        "keep": cast.count(4, 25, "weeks"),
        "area": cast.measure(2, 19, "hectares"),
        "taste": cast.phrase("phrase", "sharp, nutty, very sweet, spicy, mild, honeyed"),
        "skin": cast.phrase("phrase", "dark red, yellow, green, russet brown, striped, deep purple"),
    }


PORTRAIT = layout(
    "portrait",
    passage(
        "{a} is a family orchard <of {area} |>on the road <to|from> {x}.",
        "Its oldest trees were planted in {planted}.",
        "{p} <bought the land in|took the place over in> {bought}.",
        "The main variety is {main}, <a(n) {taste} apple with a {skin} skin|an apple with a {skin} skin "
        "and a {taste} flavour>.",
        "Today there are {rows} of {per_row} each.",
        "Last autumn the family filled {crates}<|, despite a dry summer>.",
        "<Across the lane,|On the other side of the brook,> {b} filled {crates_b}.",
        "At {b} the work is led by {foreman}, who prefers {v}.",
        ordered=True,
    ),
)
DIARY = layout(
    "diary",
    passage(
        "<From my orchard diary:|Diary of the season at {a}.|Notes for the orchard book.>",
        "The trees were in full bloom on {bloom}.",
        "We began picking {u} on {start}<|, in light rain>.",
        "The last {u} came off the ladders on {stop}.",
        "<Market day was|We had our open day on> {market}, and {p} <brought the pony|played the fiddle>.",
        "We filled {crates_u} of {u} and {crates_v} of {v}.",
        "Each crate <holds|weighs> {crate}.",
        "By the weekend {sold} of {u} had been sold<| to a shop in {x}>.",
        "From the bruised fruit we pressed {juice} of juice.",
        ordered=True,
    ),
)
SHOP = layout(
    "shop",
    passage(
        "<Fresh from {a}:|The farm shop at {a} is open again.|This week at the farm shop of {a}:>",
        "{u} is {taste} and keeps for {keep}.",
        "Juice is sold at {price} <a litre|per litre>.",
        "We have {stock} of juice <in the cellar|bottled so far>.",
        "<For picking we hired|The harvest was brought in by> {pickers}, each paid {wage} a day.",
        "<Ask for|Questions go to> {p} at the till or {q} in the yard.",
        "{v} has a {skin} skin and <was bred by|was raised by> {breeder} in {bred}.",
        "Our apple day is on {sale}.",
        "Of {crates} <picked|stored>, {sold.n} have been sold.",
    ),
)
LEDGER = layout(
    "ledger",
    passage(
        "Ledger of {a}, {x}",
        "Owner: {p}",
        "Foreman: {q}",
        "Rows: {rows.n}",
        "Trees in each row: {per_row.n}",
        "First picking day: {start}",
        "Last picking day: {stop}",
        "Crates filled: {crates.n}",
        "Crates sold: {sold.n}",
        "Weight of a crate: {crate}",
        "Best variety: {u}",
        "Second variety: {v}",
        "Juice pressed: {juice}",
        lines=True,
        most=8,
    ),
    held_out=True,
)
VARIETIES = layout(
    "varieties",
    passage(
        "<Each farm has a favourite.|What grows where?>",
        "{a} grows mostly {u}.",
        "{b} grows mostly {v}.",
        "{c} grows mostly {w}.",
        heading="<Farms and their apples|Around the farms>",
        most=3,
    ),
    passage(
        "<A short history of some apples.|The fruit society's notes:>",
        "{u} was <bred|raised> by {p} at {x} in {bred}.",
        "{v} was <bred|raised> by {q} at {y} in {bred_b}.",
        heading="<Where the varieties come from|Notes on varieties>",
    ),
    passage(
        "<The breeders are remembered in many ways.|What is named after the breeders?>",
        "A <school|street|brass band> is named after {p}, who also invented {tool}.",
        "A <park|bakery|choir> is named after {q}, who also invented {tool_b}.",
        heading="<The breeders|In memory>",
    ),
)
PRIZES = layout(
    "prizes",
    passage(
        "<The autumn show is over.|The judges have spoken.>",
        "First prize went to {p} for {u}.",
        "Second prize went to {q} for {v}.",
        "A special mention went to {r} for {w}.",
        heading="<Autumn show|Results>",
        most=3,
    ),
    passage(
        "<What the judges wrote:|From the judges' sheets.>",
        "{u} <has|shows> a {skin} skin and keeps for {keep}.",
        "{v} <is|tasted> {taste} and keeps until {sale}.",
        heading="<Judges' notes|Tasting sheets>",
    ),
)

QUESTIONS = (
    fact("When were the oldest trees of {a} planted?", "planted"),
    fact("In which year did {p} <acquire|become the owner of> {a}?", "bought"),
    fact("Which variety is the main one at {a}?", "main"),
    fact("What does {main} taste like?", "taste"),
    fact("What does the skin of {v} look like?", "skin"),
    fact("What does {u} taste like?", "taste"),
    fact("Who leads the work at {b}?", "foreman"),
    fact("How many crates did {b} fill?", "crates_b"),
    fact("On which date were the trees in full bloom?", "bloom"),
    fact("On which date did <the picking begin|the pickers start>?", "start"),
    fact("How much does <a|each> crate weigh?", "crate"),
    fact("How much juice was pressed?", "juice"),
    fact("How long does {u} keep?", "keep"),
    fact("On which date did {p} come?", "market"),
    fact("How much juice <is there|does the farm have> for sale?", "stock"),
    fact("How many pickers were hired?", "pickers"),
    fact("What does a litre of juice cost?", "price"),
    fact("Who <bred|raised> {v}?", "breeder"),
    calc("product", "How many trees <does {a} have|stand at {a}>?", "rows", "per_row", unit="trees"),
    calc(
        "difference",
        "How old were the oldest trees<| of {a}> when {p} became the owner?",
        "bought",
        "planted",
        unit="years",
    ),
    calc(
        "days_between",
        "How many days after the first picking day was the last one?",
        "start",
        "stop",
        unit="days",
    ),
    calc(
        "days_between",
        "How many days after full bloom did the picking of {u} begin?",
        "bloom",
        "start",
        unit="days",
    ),
    calc("remainder", "How many <of the crates|crates> have not been sold?", "crates", "sold", unit="crates"),
    calc("product", "How much do the crates that were sold weigh together?", "sold", "crate", unit="kilograms"),
    calc(
        "product",
        "How much would all the juice bring<| if every litre were sold>?",
        "stock",
        "price",
        unit="money",
    ),
    calc("product", "How much did all the pickers together earn in a day?", "pickers", "wage", unit="money"),
    calc("sum", "How many crates did {a} and {b} fill together?", "crates", "crates_b", unit="crates"),
    calc("sum", "How many crates of {u} and {v} were filled together?", "crates_u", "crates_v", unit="crates"),
    calc("remainder", "How many crates of {u} have not been sold?", "crates_u", "sold", unit="crates"),
    calc(
        "difference",
        "By how many crates did the harvests of {u} and {v} differ?",
        "crates_u",
        "crates_v",
        unit="crates",
    ),
    pick("largest", "Which farm filled more crates, {a} or {b}?", ("a", "crates"), ("b", "crates_b")),
    pick(
        "smallest",
        "Of which variety were fewer crates filled, {u} or {v}?",
        ("u", "crates_u"),
        ("v", "crates_v"),
    ),
    hop("What did the person invent who bred the main apple of {a}?", "a", "u", "p", "tool", foil="tool_b"),
    hop(
        "What else is the breeder of the apple grown at {b} known to have invented?",
        "b",
        "v",
        "q",
        "tool_b",
        foil="tool",
    ),
    hop("Where was the favourite apple of {b} bred?", "b", "v", "y", foil="x"),
    hop("In which year was the main apple of {a} bred?", "a", "u", "bred", foil="bred_b"),
    hop("In which year was the main apple of {b} bred?", "b", "v", "bred_b", foil="bred"),
    hop("What <colour|look> does the skin of {p}'s prize apple have?", "p", "u", "skin", foil="taste"),
    hop("How long does the apple keep that won first prize for {p}?", "p", "u", "keep", foil="sale"),
    hop("What did the judges say about the taste of {q}'s apple?", "q", "v", "taste", foil="skin"),
)

TOPIC = Topic("orchard", world, (PORTRAIT, DIARY, SHOP, LEDGER, VARIETIES, PRIZES), QUESTIONS)
