"""Weather stations: readings, observers, instruments."""

from ..cast import Cast, World
from ..schema import Topic, calc, fact, hop, layout, passage, pick

VALLEYS = (
    "Ashen Valley",
    "Lower Tarrow",
    "Three Brooks",
    "Saddle Pass",
    "Amber Coast",
    "Stony Heath",
    "Upper Lisse",
    "Windy Ness",
)


def world(cast: Cast) -> World:
    """Return weather stations with observers, heights and a week of readings."""
    a, b, c = (cast.site("* Station", "station", "*", "the station at *") for _ in range(3))
    v, w, u = (cast.name("*", "valley", VALLEYS, "the *") for _ in range(3))
    observer, observer_b, observer_c, builder, teacher = cast.people(5)
    frost, storm, fair = cast.dates(3, first=4, last=10, span=28)
    (opened,), (moved,) = cast.years(1, 1871, 1935), cast.years(1, 1948, 2009)
    (opened_b,) = cast.years(1, 1871, 1960)
    first, second = cast.clocks(2, 6, 20, gap=240, step=30)
    return {
        "hut": builder,
        "repair": builder,
        "observer_a": observer,
        "cleaned": frost,
        "oiled": storm,
        "hail": frost,
        "broken": cast.phrase(
            "phrase",
            "the town clock, a garden wall, the tennis hut, a fishing pier, the market stalls, a pear tree",
        ),
        "a": a,
        "b": b,
        "c": c,
        "v": v,
        "w": w,
        "u": u,
        "observer": observer,
        "observer_b": observer_b,
        "observer_c": observer_c,
        "builder": builder,
        "teacher": teacher,
        "x": cast.town(),
        "y": cast.town(),
        "frost": frost,
        "storm": storm,
        "fair": fair,
        "opened": opened,
        "moved": moved,
        "opened_b": opened_b,
        "first": first,
        "second": second,
        "height": cast.measure(140, 1980, "metres"),
        "height_b": cast.measure(140, 1980, "metres"),
        "warm": cast.measure(19, 34, "degrees"),
        "cool": cast.measure(2, 14, "degrees"),
        "warm_b": cast.measure(19, 34, "degrees"),
        "rain": cast.measure(21, 98, "millimetres"),
        "rain_b": cast.measure(21, 98, "millimetres"),
        "rain_c": cast.measure(21, 98, "millimetres"),
        "gust": cast.measure(61, 129, "kilometres an hour"),
        "gust_b": cast.measure(61, 129, "kilometres an hour"),
        "days": cast.count(5, 17, "days"),
        "readings": cast.count(3, 12, "readings"),
        "weeks": cast.count(13, 48, "weeks"),
        "calm": cast.count(3, 20, "days"),
        "spot": cast.phrase(
            "phrase",
            "an old mill, a school roof, a monastery garden, a lock keeper's house, a disused quarry, a ski hut",
        ),
        "harm": cast.phrase(
            "phrase",
            "a chimney, two greenhouses, the bus shelter, the church gutter, a row of poplars, the bandstand roof",
        ),
    }


HISTORY = layout(
    "history",
    passage(
        "{a} is a weather station <in|at> {spot} near {x}, {height} above the sea.",
        "<Readings began|The first reading was taken> in {opened}<|, with a single thermometer>.",
        "In {moved} the instruments were moved <a little uphill|to the other side of the road>.",
        "The hut was built by {hut}, and today's observer is {observer_a}.",
        "The station takes {readings} a day<|, copied out by hand every evening>.",
        "{b}, <its neighbour|the next station>, has been running since {opened_b} and lies at {height_b}.",
        "The strongest gust so far, {gust}, <blew down|destroyed> {harm}.",
        ordered=True,
    ),
)
BULLETIN = layout(
    "bulletin",
    passage(
        "<Weather of the past month in brief.|The month's weather, from two stations.|Looking back on the month:>",
        "{a} <measured|recorded> {rain} of rain, {b} <measured|recorded> {rain_b}.",
        "<At its warmest|On the warmest day> it was {warm} at {a}; on the coldest morning there it was {cool}.",
        "At {b} the warmest day brought {warm_b}.",
        "Hail fell only once, on {hail}<|, but it was heavy>.",
        "The storm of {storm} damaged {broken}.",
        "At {a} the strongest gust of the month reached {gust}.",
        "At {b} the strongest gust of the month reached {gust_b}.",
        "It rained on {days}, and {calm} were without wind.",
    ),
)
LETTER = layout(
    "letter",
    passage(
        "<To the new observer at {a}.|Welcome to {a}!|Instructions for {a}.>",
        "Please read the instruments at {first} and again at {second}.",
        "<Each round|One round> means {readings}, <written in ink|entered in the blue book>.",
        "Your holiday cover is {teacher}, and {repair} repairs what breaks.",
        "The rain gauge was last cleaned on {cleaned}, and the wind vane was oiled on {oiled}.",
        "<The hut of {a} stands at|At {a} you are> {height} above the sea.",
        "<Your nearest colleague is|The next colleague sits> at {b}, at a height of {height_b}.",
        "I stayed for {weeks} and saw {harm} fly past only once.",
        "From here you can see {spot}.",
    ),
)
LOG = layout(
    "log",
    passage(
        "Monthly log, {a}",
        "Rain: {rain}",
        "Rain at {b}: {rain_b}",
        "Warmest day: {warm}",
        "Coldest morning: {cool}",
        "Hail: {hail}",
        "Storm: {storm}",
        "Strongest gust: {gust}",
        "Strongest gust at {b}: {gust_b}",
        "Days with rain: {days.n}",
        "Days without wind: {calm.n}",
        "Observer: {observer_a}",
        "Repairs: {repair}",
        "Height above the sea: {height}",
        "Running since: {opened}",
        lines=True,
        most=8,
    ),
    held_out=True,
)
OBSERVERS = layout(
    "observers",
    passage(
        "<Observers are volunteers.|The stations thank their volunteers.>",
        "{a} is looked after by {observer}.",
        "{b} is looked after by {observer_b}.",
        "{c} is looked after by {observer_c}.",
        heading="<Volunteers|The observers>",
        most=3,
    ),
    passage(
        "<What they do for a living.|Weather is only a hobby for them.>",
        "{observer} <works|has a job> at a <law firm|cinema|shipyard> in {x}.",
        "{observer_b} <works|has a job> at a <bank|tannery|nursery> in {y}.",
        heading="<Day jobs|On weekdays>",
    ),
)
WARNING = layout(
    "warnings",
    passage(
        "<Each station speaks for one area.|Stations and areas:>",
        "{a} reports for {v}.",
        "{b} reports for {w}.",
        "{c} reports for {u}.",
        heading="<Areas|Who reports for what>",
        most=3,
    ),
    passage(
        "<Forecast for the coming days.|The office expects the following.>",
        "{v}: up to {rain} of rain, with gusts of {gust}.",
        "{w}: up to {rain_b} of rain, with gusts of {gust_b}.",
        "{u}: up to {rain_c} of rain, <later fog|otherwise calm>.",
        heading="<Forecast|Outlook>",
        most=2,
    ),
)

QUESTIONS = (
    fact("In which year did readings begin at {a}?", "opened"),
    fact("When were the instruments of {a} moved?", "moved"),
    fact("Who built the hut at {a}?", "hut"),
    fact("Who is the observer at {a}?", "observer_a"),
    fact("How high above the sea does {a} lie?", "height"),
    fact("How much rain did {a} <measure|record>?", "rain"),
    fact("How much rain fell at {b}?", "rain_b"),
    fact("On which date did hail fall?", "hail"),
    fact("How warm was the warmest day at {b}?", "warm_b"),
    fact("On how many days did it rain?", "days"),
    fact("When was the rain gauge cleaned?", "cleaned"),
    fact("Who does the repairs at {a}?", "repair"),
    fact("At what time is the first reading?", "first"),
    calc(
        "difference",
        "How many years after readings began were the instruments of {a} moved?",
        "moved",
        "opened",
        unit="years",
    ),
    calc(
        "difference",
        "By how many millimetres does the rain at {a} and {b} differ?",
        "rain",
        "rain_b",
        unit="millimetres",
    ),
    calc("sum", "How much rain did {a} and {b} record together?", "rain", "rain_b", unit="millimetres"),
    calc(
        "difference",
        "How many degrees lie between the warmest day and the coldest morning at {a}?",
        "warm",
        "cool",
        unit="degrees",
    ),
    calc(
        "difference",
        "By how many metres do {a} and {b} differ in height?",
        "height",
        "height_b",
        unit="metres",
    ),
    calc("time_between", "How much time passes between the two rounds of readings?", "first", "second"),
    calc(
        "days_between",
        "How many days after the rain gauge was cleaned was the wind vane oiled?",
        "cleaned",
        "oiled",
        unit="days",
    ),
    calc("days_between", "How many days after the hail did the storm come?", "hail", "storm", unit="days"),
    pick("largest", "Which station had more rain, {a} or {b}?", ("a", "rain"), ("b", "rain_b")),
    pick("largest", "At which station was the gust stronger, {b} or {a}?", ("a", "gust"), ("b", "gust_b")),
    pick("earliest", "Which station has been running longer, {a} or {b}?", ("a", "opened"), ("b", "opened_b")),
    pick("smallest", "Which station lies lower, {a} or {b}?", ("a", "height"), ("b", "height_b")),
    hop("In which town does the observer of {a} have a job?", "a", "observer", "x", foil="y"),
    hop("In which town does the volunteer at {b} work on weekdays?", "b", "observer_b", "y", foil="x"),
    hop("How much rain is forecast for the area of {a}?", "a", "v", "rain", foil="rain_b"),
    hop(
        "How strong are the gusts expected in the area for which {b} reports?",
        "b",
        "w",
        "gust_b",
        foil="gust",
    ),
    hop("How much rain is expected in the area of {c}?", "c", "u", "rain_c", foil="rain"),
)

TOPIC = Topic("weather", world, (HISTORY, BULLETIN, LETTER, LOG, OBSERVERS, WARNING), QUESTIONS)
