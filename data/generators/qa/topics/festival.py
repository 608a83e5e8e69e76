"""Music festivals: bands, stages, running orders."""

from ..cast import Cast, World
from ..schema import Topic, calc, fact, hop, layout, passage, pick

BANDS = (
    "Velvet Tractor",
    "Paper Comet",
    "The Slow Bicycles",
    "Nine Lanterns",
    "Marble Coast",
    "Aunt Rosa's Radio",
    "Tin Horizon",
    "The Polite Wolves",
    "Cardboard Moon",
    "Salt & Ladder",
    "Hollow Kites",
    "Midnight Grocers",
)
STAGES = (
    "Barn Stage",
    "Lake Stage",
    "Willow Stage",
    "Quarry Stage",
    "Tent Stage",
    "Harbour Stage",
    "Rooftop Stage",
    "Chapel Stage",
)


def world(cast: Cast) -> World:
    """Return a festival with bands, stages, times, prices and helpers."""
    a, b, c = (cast.name("*", "band", BANDS) for _ in range(3))
    s, t, u = (cast.name("*", "stage", STAGES, "the *") for _ in range(3))
    founder, singer, singer_b, sound, sound_b, sound_c, cook = cast.people(7)
    start, start_b, start_c = cast.clocks(3, 15, 22, gap=75)
    (founded,) = cast.years(1, 1968, 2009)
    begin, end = cast.dates(2, first=5, last=9, span=9)
    return {
        "name": cast.site("* Festival", "festival", "*"),
        "chef": cook,
        "crowd_first": cast.count(1200, 4900, "people", 100),
        "crowd_last": cast.count(1200, 4900, "people", 100),
        "a": a,
        "b": b,
        "c": c,
        "s": s,
        "t": t,
        "u": u,
        "founder": founder,
        "singer": singer,
        "singer_b": singer_b,
        "sound": sound,
        "sound_b": sound_b,
        "sound_c": sound_c,
        "cook": cook,
        "x": cast.town(),
        "y": cast.town(),
        "z": cast.town(),
        "start": start,
        "start_b": start_b,
        "start_c": start_c,
        "founded": founded,
        "begin": begin,
        "end": end,
        "tenth": cast.count(7, 40, "times"),
        "plays": cast.measure(35, 70, "minutes", 5),
        "plays_b": cast.measure(35, 70, "minutes", 5),
        "day": cast.money(18, 39),
        "pass_": cast.money(45, 95),
        "bus": cast.money(3, 9),
        "ride": cast.money(2, 8),
        "group": cast.count(6, 24, "students"),
        "crowd": cast.count(1200, 4900, "people", 100),
        "crowd_b": cast.count(1200, 4900, "people", 100),
        "camp": cast.percent(11, 59),
        "helpers": cast.count(45, 190, "helpers"),
        "toilets": cast.count(21, 44, "toilets"),
        "songs": cast.count(8, 17, "songs"),
        "songs_b": cast.count(8, 17, "songs"),
        "food": cast.phrase(
            "phrase", "lentil curry, fried dumplings, potato pancakes, grilled corn, flatbread, noodle soup"
        ),
        "rain": cast.phrase(
            "phrase", "in the sports hall, in the old brewery, under the motorway bridge, in the fire station"
        ),
        "tune": cast.phrase("phrase", "folk, jazz, surf rock, tango, choral music, brass music"),
    }


PAPER = layout(
    "paper",
    passage(
        "{name} <opens|begins> on {begin} and <runs until|closes on> {end}<|, whatever the weather>.",
        "It was founded in {founded} by {founder}, <who then sold records|a schoolteacher|a beekeeper>.",
        "Last year {crowd_first} came on the first day and {crowd_last} on the last.",
        "On the first day last year {camp} of the visitors camped on the meadow.",
        "A day ticket is {day}, a pass for all days {pass_}.",
        "<In case of rain the concerts are held|Should it rain, the concerts will be> {rain}.",
        "The main attraction is {a}, a band from {x} that plays {tune}.",
        "A crew of {helpers} keeps it running; {chef} is in charge of the kitchen.",
        ordered=True,
    ),
)
RUNNING = layout(
    "running-order",
    passage(
        "<Tonight at {name}:|Running order for tonight, {name}.|Tonight's programme at {name}.>",
        "{a} <will go on|will begin> at {start} on the {s} and <will play for|has a slot of> {plays}.",
        "{b} <will go on|will begin> at {start_b} on the {t} and <will play for|has a slot of> {plays_b}.",
        "{c} will close the night, starting at {start_c}.",
        "{a} will play {songs}, {b} will play {songs_b}.",
        "The singer of {a} is {singer}; the singer of {b} is {singer_b}.",
        "There is {food} <at the gate|behind the stage>.",
        "The last bus to {y} costs {bus}.",
    ),
)
MEMO = layout(
    "memo",
    passage(
        "<To all helpers of {name}.|Memo to the helpers, {name}.|Helpers' briefing, {name}.>",
        "We expect {crowd} on Friday and {crowd_b} on Saturday.",
        "<There are|We have> {helpers} and {toilets}.",
        "A school from {z} has ordered day tickets for {group}; a day ticket is {day}.",
        "The bus from the station is {ride} a trip.",
        "Sound is done by {sound} and light by {sound_b}<|; please bring them coffee>.",
        "Gates open on {begin}, and the meadow must be empty by {end}.",
        "If it rains, we meet {rain}.",
        "{cook} will <serve|cook> {food} for all helpers.",
    ),
)
STAGE_PLAN = layout(
    "stages",
    passage(
        "<The stages have been shared out.|Who plays where?>",
        "{a} will play on the {s}.",
        "{b} will play on the {t}.",
        "{c} will play on the {u}.",
        heading="<Stage plan|Bands and stages>",
        most=3,
    ),
    passage(
        "<Every stage has a sound engineer.|Technicians, please note your stage.>",
        "{s}: {sound}, from {start}.",
        "{t}: {sound_b}, from {start_b}.",
        "{u}: {sound_c}, from {start_c}.",
        heading="<Sound engineers|Technical plan>",
        most=2,
    ),
)
SINGERS = layout(
    "singers",
    passage(
        "<Three bands you should hear.|Bands of the week.>",
        "The voice of {a} is {singer}.",
        "The voice of {b} is {singer_b}.",
        "The voice of {c} is {founder}.",
        heading="<Bands|Voices>",
        most=3,
    ),
    passage(
        "<Before they were famous.|What the singers did before.>",
        "{singer} used to <sell|cook> {food} in {x}.",
        "{singer_b} used to <deliver letters|drive a snow plough|teach swimming> in {y}.",
        heading="<Gossip|Earlier lives>",
    ),
)
HOMES = layout(
    "lodging",
    passage(
        "<Beds have been found for all bands.|Where the bands sleep.>",
        "{a} will stay with {founder}.",
        "{b} will stay with {cook}.",
        "{c} will stay with {sound}.",
        heading="<Lodging|Beds>",
        most=3,
    ),
    passage(
        "<Hosts and their addresses.|The hosts live all over the district.>",
        "{founder} has a house in {x}.",
        "{cook} has a house in {y}.",
        "{sound} has a house in {z}.",
        heading="<Hosts|Address list>",
        most=2,
    ),
    held_out=True,
)

QUESTIONS = (
    fact("Who founded {name}?", "founder"),
    fact("On which date does {name} <begin|open>?", "begin"),
    fact("How much is a day ticket?", "day"),
    fact("How much is a pass for all days?", "pass_"),
    fact("At what time will {a} start?", "start"),
    fact("At what time will {c} start?", "start_c"),
    fact("On which stage will {b} play?", "t"),
    fact("Who is the singer of {a}?", "singer"),
    fact("How much does the last bus cost?", "bus"),
    fact("How much is a bus trip from the station?", "ride"),
    fact("Who does the sound?", "sound"),
    fact("How many toilets are there?", "toilets"),
    fact("How many songs will {b} play?", "songs_b"),
    fact("Who is in charge of the kitchen?", "chef"),
    calc(
        "difference",
        "By how many people did the first and the last day differ?",
        "crowd_first",
        "crowd_last",
        unit="people",
    ),
    calc("sum", "How many people are expected on the two days together?", "crowd", "crowd_b", unit="people"),
    calc(
        "percent_of",
        "How many people camped on the meadow on the first day?",
        "crowd_first",
        "camp",
        unit="people",
    ),
    calc("time_after", "At what time will {a} finish?", "start", "plays"),
    calc("time_after", "When does the set of {b} end?", "start_b", "plays_b"),
    calc("difference", "How much more is a pass for all days than a day ticket?", "pass_", "day", unit="money"),
    calc(
        "product",
        "How much do the students from {z} pay for their day tickets in all?",
        "group",
        "day",
        unit="money",
    ),
    calc("sum", "How many songs will {a} and {b} play together?", "songs", "songs_b", unit="songs"),
    pick("largest", "Which band will play longer, {a} or {b}?", ("a", "plays"), ("b", "plays_b")),
    pick("earliest", "Which band will begin first, {b} or {a}?", ("a", "start"), ("b", "start_b")),
    pick("largest", "Which band will play more songs, {b} or {a}?", ("a", "songs"), ("b", "songs_b")),
    hop("Who is the sound engineer for {a}?", "a", "s", "sound", foil="sound_b"),
    hop("Who does the sound for {b}?", "b", "t", "sound_b", foil="sound_c"),
    hop("Who does the sound on the stage of {c}?", "c", "u", "sound_c", foil="sound"),
    hop("In which town did the singer of {a} work before?", "a", "singer", "x", foil="y"),
    hop("Where did the singer of {b} work before?", "b", "singer_b", "y", foil="x"),
    hop("In which town is the house where {a} will stay?", "a", "founder", "x", foil="y"),
    hop("In which town will {b} stay?", "b", "cook", "y", foil="z"),
    hop("Where is the house in which {c} will sleep?", "c", "sound", "z", foil="x"),
)

TOPIC = Topic("festival", world, (PAPER, RUNNING, MEMO, STAGE_PLAN, SINGERS, HOMES), QUESTIONS)
