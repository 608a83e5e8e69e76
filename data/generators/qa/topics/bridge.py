"""Bridges: builders, spans, repairs."""

from ..cast import Cast, World
from ..schema import Topic, calc, fact, hop, layout, passage, pick

RIVERS = (
    "Ossel",
    "Tamber",
    "Virra",
    "Lune Beck",
    "Sorba",
    "Kessane",
    "Wendle",
    "Ardoa",
    "Mirna",
    "Pellow",
    "Grana",
    "Isk",
)


def world(cast: Cast) -> World:
    """Return bridges with rivers, engineers, sizes and tolls."""
    a, b, c = (cast.site("* Bridge", "bridge", "*", "the bridge at *") for _ in range(3))
    i, j, k = (cast.name("*", "river", RIVERS, "the river *", "River *") for _ in range(3))
    p, q, r = cast.people(3)
    x, y = cast.towns(2)
    (begun,) = cast.years(1, 1868, 1935)
    opened = cast.later(begun, 2, 11)
    (widened,) = cast.years(1, 1948, 2014)
    (opened_b,) = cast.years(1, 1870, 1990)
    shut, reopened = cast.dates(2, first=4, last=10, span=60)
    return {
        "complaints": q,
        "engineer_b": q,
        "a": a,
        "b": b,
        "c": c,
        "i": i,
        "j": j,
        "k": k,
        "p": p,
        "q": q,
        "r": r,
        "x": x,
        "y": y,
        "begun": begun,
        "opened": opened,
        "widened": widened,
        "opened_b": opened_b,
        "shut": shut,
        "reopened": reopened,
        "long": cast.measure(84, 640, "metres"),
        "long_b": cast.measure(84, 640, "metres"),
        "arches": cast.count(3, 14, "arches"),
        "arch": cast.measure(15, 45, "metres"),
        "wide": cast.measure(5, 9, "metres"),
        "wide_now": cast.measure(11, 18, "metres"),
        "toll": cast.money(2, 9),
        "lorry": cast.money(11, 24),
        "cars": cast.count(150, 900, "cars", 10),
        "cars_b": cast.count(150, 900, "cars", 10),
        "lorries": cast.count(12, 80, "lorries"),
        "limit": cast.measure(4, 40, "tonnes"),
        "every": cast.count(5, 16, "years"),
        "painted": cast.years(1, 1990, 2020)[0],
        "stuff": cast.phrase("phrase", "sandstone, riveted iron, oak, steel, brick, reinforced concrete"),
        "lamp": cast.phrase("phrase", "dolphins, lions, pine cones, sea horses, herons, acorns"),
    }


GAZETTEER = layout(
    "gazetteer",
    passage(
        "{a} <crosses|spans> the {i} <at the edge of|a little above|downstream of> {x}.",
        "<Work on it began|Building work began> in {begun} under {p}, <a pupil of the royal engineers|who "
        "had built mills before|an engineer of few words>.",
        "It was opened <to traffic|with a fair> in {opened}.",
        "The bridge is built of {stuff} and measures {long} from bank to bank.",
        "It rests on {arches}.",
        "At first the roadway was {wide} wide; in {widened} it was widened to {wide_now}.",
        "<The lamp posts of {a} are topped with|On its lamp posts there are carved> {lamp}.",
        "The next crossing, {b}, <was opened|followed> in {opened_b} and is {long_b} long.",
        ordered=True,
    ),
)
NOTICE = layout(
    "notice",
    passage(
        "<Notice to drivers:|Public notice.|Please note:> <repairs are planned at {a}|there will be work on {a}>.",
        "The bridge closes on {shut} and opens again on {reopened}.",
        "<For now|Until further notice> the weight limit on {a} is {limit}.",
        "The toll at {a} is {toll} for a car and {lorry} for a lorry.",
        "On a usual day {cars} and {lorries} cross {a}.",
        "<Traffic will be sent over|Please use> {b}, which is {long_b} long<| and free of charge>.",
        "<The work is led by|In charge of the work is> {p}; complaints go to {complaints}.",
        "The railings of {a} were last painted in {painted}, and this is <done|due> every {every}.",
    ),
)
SCHOOL = layout(
    "essay",
    passage(
        "<My project is about two bridges.|For homework I compared two bridges.|Our class drew two bridges near {x}.>",
        "{a} <is|measures> {long} from end to end and goes over the {i}.",
        "{b} <is|measures> {long_b} from end to end and goes over the {j}.",
        "{a} <was opened in|dates from> the year {opened}, and its engineer was {p}.",
        "{b} <was opened in|dates from> the year {opened_b}, and its engineer was {engineer_b}.",
        "I like the {lamp} on the lamp posts of {a} best.",
        "{a} <has|stands on> {arches}<|; I counted them twice>.",
        "It costs {toll} to drive over {a}<|, but walking is free>.",
    ),
)
SURVEY = layout(
    "survey",
    passage(
        "Survey sheet: {a}",
        "River: {i}",
        "Engineer: {p}",
        "Inspector: {q}",
        "Building begun: {begun}",
        "Opened: {opened}",
        "Widened: {widened}",
        "Total length: {long}",
        "Number of arches: {arches.n}",
        "Width of roadway today: {wide_now}",
        "Width before the widening: {wide}",
        "Weight limit: {limit}",
        "Material: {stuff}",
        lines=True,
        most=8,
    ),
    held_out=True,
)
RIVER = layout(
    "rivers",
    passage(
        "<Three rivers meet in this district.|A word on the rivers.>",
        "{a} stands on the {i}.",
        "{b} stands on the {j}.",
        "{c} stands on the {k}.",
        heading="<Bridges and rivers|On the map>",
        most=3,
    ),
    passage(
        "<The water board reports:|Where do the rivers rise?>",
        "The {i} rises near {x} and <is known for trout|freezes in most winters|turned three mills>.",
        "The {j} rises near {y} and <is known for crayfish|floods in spring|was once used for rafting>.",
        heading="<Water board|The springs>",
    ),
)
ENGINEERS = layout(
    "engineers",
    passage(
        "<Who built what?|The society remembers its engineers.>",
        "{a} is the work of {p}.",
        "{b} is the work of {q}.",
        "{c} is the work of {r}.",
        heading="<Builders of the district|Hall of engineers>",
        most=3,
    ),
    passage(
        "<Short lives of the engineers.|From the society's yearbook.>",
        "{p} <trained|was an apprentice> in {x} and <later wrote a book on arches|had six brothers|never married>.",
        "{q} <trained|was an apprentice> in {y} and <later sold pumps|was also a painter|lived on a barge>.",
        heading="<Lives|Yearbook>",
    ),
)
TOLLS = layout(
    "tolls",
    passage(
        "<The toll houses have new keepers.|Toll keepers for this year:>",
        "The toll at {a} is taken by {p}.",
        "The toll at {b} is taken by {q}.",
        "The toll at {c} is taken by {r}.",
        heading="<Toll houses|Appointments>",
        most=3,
    ),
    passage(
        "<From the accounts of the toll keepers.|The keepers sent in their books.>",
        "{p} counted {cars} on the busiest day, {shut}.",
        "{q} counted {cars_b} on the busiest day, {reopened}.",
        heading="<Accounts|Toll books>",
    ),
    held_out=True,
)

QUESTIONS = (
    fact("In which year did work on {a} begin?", "begun"),
    fact("In which year was {a} opened?", "opened"),
    fact("When was {a} widened?", "widened"),
    fact("What is {a} built of?", "stuff"),
    fact("How long is {a}?", "long"),
    fact("How long is {b}?", "long_b"),
    fact("Which river does {a} cross?", "i"),
    fact("How many arches does {a} have?", "arches"),
    fact("What is the weight limit on {a}?", "limit"),
    fact("What is the toll for a lorry?", "lorry"),
    fact("On which date does {a} open again?", "reopened"),
    fact("Who takes complaints about the work on {a}?", "complaints"),
    fact("Who was the engineer of {b}?", "engineer_b"),
    fact("What <decorates|is to be seen on> the lamp posts of {a}?", "lamp"),
    calc(
        "difference",
        "How many years did the building of {a} take, from the beginning of the work to the opening?",
        "opened",
        "begun",
        unit="years",
    ),
    calc("difference", "How many metres wider is {a} since the widening?", "wide_now", "wide", unit="metres"),
    calc("difference", "By how many metres do {a} and {b} differ in length?", "long", "long_b", unit="metres"),
    calc("days_between", "How many days after closing does {a} open again?", "shut", "reopened", unit="days"),
    calc("product", "How much toll do the cars pay on a usual day?", "cars", "toll", unit="money"),
    calc(
        "two_products",
        "How much toll do cars and lorries pay together on a usual day?",
        "cars",
        "toll",
        "lorries",
        "lorry",
        unit="money",
    ),
    calc("year_after", "In which year are the railings due to be painted next?", "painted", "every"),
    calc(
        "sum",
        "How many vehicles, cars and lorries together, cross {a} on a usual day?",
        "cars",
        "lorries",
        unit="vehicles",
    ),
    pick("earliest", "Which bridge was opened first, {a} or {b}?", ("a", "opened"), ("b", "opened_b")),
    pick("largest", "Which bridge is longer, {b} or {a}?", ("a", "long"), ("b", "long_b")),
    hop("Near which town does the river under {a} rise?", "a", "i", "x", foil="y"),
    hop("Near which town does the river under {b} rise?", "b", "j", "y", foil="x"),
    hop("In which town did the engineer of {a} learn <the trade|engineering>?", "a", "p", "x", foil="y"),
    hop("Where did the builder of {b} learn <the trade|engineering>?", "b", "q", "y", foil="x"),
    hop("How many cars were counted on the busiest day at {a}?", "a", "p", "cars", foil="cars_b"),
    hop("On which date was {b} busiest?", "b", "q", "reopened", foil="shut"),
)

TOPIC = Topic("bridge", world, (GAZETTEER, NOTICE, SCHOOL, SURVEY, RIVER, ENGINEERS, TOLLS), QUESTIONS)
