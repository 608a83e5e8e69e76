"""Heritage railways: engines, stations, timetables."""

from ..cast import Cast, World
from ..schema import Topic, calc, fact, hop, layout, passage, pick

ENGINES = (
    "Old Bess",
    "Samson",
    "Lady Thistle",
    "Number Seven",
    "Iron Duckling",
    "Hector",
    "Rosalie",
    "Little Otter",
    "Grampus",
    "Ajax",
    "Blue Agnes",
    "Vulcan",
)


def world(cast: Cast) -> World:
    """Return a heritage line with engines, drivers, stops and fares."""
    a, b, c = (cast.name("*", "engine", ENGINES) for _ in range(3))
    x, y, z, w, v = cast.towns(5)
    driver, driver_b, driver_c, guard, founder, porter = cast.people(6)
    out, arrive, back = cast.clocks(3, 9, 17, gap=35)
    (built,), (built_b,) = cast.years(1, 1881, 1949), cast.years(1, 1881, 1949)
    (closed,) = cast.years(1, 1955, 1972)
    reopened = cast.later(closed, 4, 29)
    start, end = cast.dates(2, first=4, last=10, span=120)
    return {
        "line": cast.site("* Valley Railway", "line", "*"),
        "freight": cast.phrase("phrase", "granite, peat, apples, iron ore, barrels, coal"),
        "donor": founder,
        "test_day": start,
        "open_day": end,
        "a": a,
        "b": b,
        "c": c,
        "x": x,
        "y": y,
        "z": z,
        "w": w,
        "v": v,
        "driver": driver,
        "driver_b": driver_b,
        "driver_c": driver_c,
        "guard": guard,
        "founder": founder,
        "porter": porter,
        "out": out,
        "arrive": arrive,
        "back": back,
        "built": built,
        "built_b": built_b,
        "closed": closed,
        "reopened": reopened,
        "start": start,
        "end": end,
        "long": cast.measure(7, 38, "kilometres"),
        "trips": cast.count(2, 6, "trips"),
        "tunnel": cast.measure(110, 980, "metres"),
        "bridge": cast.measure(40, 105, "metres"),
        "weight": cast.measure(14, 68, "tonnes"),
        "weight_b": cast.measure(14, 68, "tonnes"),
        "coal": cast.measure(210, 880, "kilograms", 10),
        "coaches": cast.count(3, 9, "coaches"),
        "seats": cast.count(32, 64, "seats"),
        "adult": cast.money(9, 24),
        "child": cast.money(4, 8),
        "family": cast.count(2, 6, "children"),
        "guests": cast.count(18, 29, "adults"),
        "helpers": cast.count(65, 140, "volunteers"),
        "coat": cast.phrase("phrase", "dark green, maroon, black, royal blue, brick red, plain grey"),
        "cargo": cast.phrase("phrase", "slate, timber, milk, sugar beet, salt, wool"),
        "cake": cast.phrase("phrase", "plum cake, pretzels, meat pies, rice pudding, ginger biscuits, almond tart"),
    }


HISTORY = layout(
    "history",
    passage(
        "The {line} runs for {long} between {x} and {y}.",
        "<It was laid to carry|In its first years it carried mainly> {freight}<|, and passengers came later>.",
        "The last <regular|ordinary> train ran in {closed}; in {reopened} <friends of the line reopened "
        "it|it was reopened as a heritage line>.",
        "{donor} collected the money for the first engine.",
        "Its longest tunnel measures {tunnel}, its longest bridge {bridge}.",
        "The engine {a}, built in {built}, weighs {weight}<| and is painted {coat}>.",
        "The second engine, {b}, was built in {built_b} and weighs {weight_b}.",
        "Today {helpers} look after the track.",
        ordered=True,
    ),
)
LEAFLET = layout(
    "leaflet",
    passage(
        "<All aboard the {line}!|A day out on the {line}.|Travel back in time with the {line}.>",
        "The train leaves {x} at {out} and reaches {y} at {arrive}; it starts back at {back}.",
        "<Return tickets are|A return ticket costs> {adult} for adults and {child} for children.",
        "Trains run from {start} to {end}.",
        "Each train has {coaches} with {seats} each.",
        "<On board we sell|Try our> {cake}.",
        "Your guard is {guard}; {porter} <will help with prams|looks after bicycles>.",
        "A birthday party of {family} <is coming|has booked> from {z}, all with children's tickets.",
    ),
)
SHED = layout(
    "shed",
    passage(
        "<From the engine shed.|Notes from the engine shed, {line}.|Engine shed, weekly report.>",
        "{a} <weighs|has a weight of> {weight} and was built in {built}.",
        "{b} <weighs|has a weight of> {weight_b} and was built in {built_b}.",
        "{driver} drives {a} this week, {driver_b} drives {b}.",
        "{a} <makes|runs> {trips} a day and burns {coal} of coal on each trip.",
        "<We are painting|This month we paint> the tender {coat}.",
        "The boiler test is on {test_day}, the open day on {open_day}.",
        "The wagon from {w} has arrived, with {cargo} still in it.",
    ),
)
BOARD = layout(
    "notice-board",
    passage(
        "Notice board, {x} station",
        "Train to {y}: leaves {out}, arrives {arrive}",
        "Return train from {y}: leaves {back}",
        "Adult ticket: {adult}",
        "Child ticket: {child}",
        "First day of the season: {start}",
        "Last day of the season: {end}",
        "Engine: {a}, built in {built}",
        "Spare engine: {b}, built in {built_b}",
        "Guard: {guard}",
        "Porter: {porter}",
        "Group on the first train: {guests}",
        "Kiosk: {cake}",
        lines=True,
        most=8,
    ),
    held_out=True,
)
DRIVERS = layout(
    "drivers",
    passage(
        "<The roster for Sunday.|Who drives on Sunday?>",
        "{a} is driven by {driver}.",
        "{b} is driven by {driver_b}.",
        "{c} is driven by {driver_c}.",
        heading="<Roster|Sunday roster>",
        most=3,
    ),
    passage(
        "<Our drivers on weekdays.|Driving is only a hobby.>",
        "{driver} works in {x} as a <surgeon|locksmith|baker>.",
        "{driver_b} works in {y} as a <florist|judge|potter>.",
        heading="<Weekday jobs|About the drivers>",
    ),
)
ORIGINS = layout(
    "origins",
    passage(
        "<Engines on the line today.|Which engine pulls which train?>",
        "The train to {x} is pulled by {a}.",
        "The train to {y} is pulled by {b}.",
        "The train to {z} is pulled by {c}.",
        heading="<Today's trains|Trains>",
        most=3,
    ),
    passage(
        "<From the engine book.|What the engine book says.>",
        "{a} was built in {built} and bought by {founder}.",
        "{b} was built in {built_b} and bought by {porter}.",
        heading="<Engine book|The engines>",
    ),
    passage(
        "<Old friends of the railway.|People we owe a lot to.>",
        "{founder} <ran|owned> a <cinema|quarry|dairy> in {w}.",
        "{porter} <ran|owned> a <sawmill|ferry|bank> in {v}.",
        heading="<Thanks|Friends of the line>",
    ),
)

QUESTIONS = (
    fact("How long is the {line}?", "long"),
    fact("What did the {line} carry in its first years?", "freight"),
    fact("In which year did the last regular train run?", "closed"),
    fact("In which year was the {line} reopened?", "reopened"),
    fact("How long is the longest tunnel?", "tunnel"),
    fact("How much does {a} weigh?", "weight"),
    fact("In which year was {b} built?", "built_b"),
    fact("At what time does the train leave {x}?", "out"),
    fact("At what time does the train start back from {y}?", "back"),
    fact("How much is a child's ticket?", "child"),
    fact("Who is the guard?", "guard"),
    fact("Who drives {a} this week?", "driver"),
    fact("On which date is the open day?", "open_day"),
    fact("How many coaches does each train have?", "coaches"),
    calc(
        "difference",
        "For how many years were there no regular trains before the reopening?",
        "reopened",
        "closed",
        unit="years",
    ),
    calc(
        "difference",
        "By how many metres is the longest tunnel longer than the longest bridge?",
        "tunnel",
        "bridge",
        unit="metres",
    ),
    calc(
        "difference",
        "By how many tonnes do {a} and {b} differ in weight?",
        "weight",
        "weight_b",
        unit="tonnes",
    ),
    calc("time_between", "How long does the train from {x} to {y} take?", "out", "arrive"),
    calc("time_between", "How long does the train wait at {y} before it starts back?", "arrive", "back"),
    calc("product", "How many seats does a train have in all?", "coaches", "seats", unit="seats"),
    calc(
        "product",
        "How much do the tickets for the party from {z} cost in all?",
        "family",
        "child",
        unit="money",
    ),
    calc("product", "How many kilograms of coal does {a} burn a day?", "trips", "coal", unit="kilograms"),
    calc("product", "How much do the adults of the group pay in all?", "guests", "adult", unit="money"),
    calc(
        "days_between",
        "How many days after the boiler test is the open day?",
        "test_day",
        "open_day",
        unit="days",
    ),
    pick("largest", "Which engine is heavier, {a} or {b}?", ("a", "weight"), ("b", "weight_b")),
    pick("earliest", "Which engine is older, {b} or {a}?", ("a", "built"), ("b", "built_b")),
    hop("In which town does the driver of {a} work on weekdays?", "a", "driver", "x", foil="y"),
    hop("Where does the driver of {b} work on weekdays?", "b", "driver_b", "y", foil="x"),
    hop("In which year was the engine of the train to {x} built?", "x", "a", "built", foil="built_b"),
    hop(
        "In which town did the buyer of the engine on the train to {x} have a business?",
        "x",
        "a",
        "founder",
        "w",
        foil="v",
    ),
    hop(
        "Where did the person who bought the engine of the {y} train have a business?",
        "y",
        "b",
        "porter",
        "v",
        foil="w",
    ),
)

TOPIC = Topic("railway", world, (HISTORY, LEAFLET, SHED, BOARD, DRIVERS, ORIGINS), QUESTIONS)
