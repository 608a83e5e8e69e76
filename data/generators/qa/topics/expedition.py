"""Expeditions: camps, supplies, dates."""

from ..cast import Cast, World
from ..schema import Topic, calc, fact, hop, layout, passage, pick

PLACES = (
    "Orrin Plateau",
    "Vashka Glacier",
    "Tolu Desert",
    "Serrat Caves",
    "Nemba Highlands",
    "Kessel Icefield",
    "Audra Range",
    "Ilmora Lakes",
    "Black Fen",
    "Harrow Gorge",
)
CAMPS = (
    "Camp Raven",
    "Camp Juniper",
    "Camp Willow",
    "Camp Falcon",
    "Camp Cobalt",
    "Camp Saffron",
    "Camp Larch",
    "Camp Otter",
)


def world(cast: Cast) -> World:
    """Return an expedition with its members, camps, dates and supplies."""
    a, b, c = (cast.name("*", "camp", CAMPS) for _ in range(3))
    leader, doctor, cook, second, guide, porter = cast.people(6)
    left, camp, top, back = cast.dates(4, first=4, last=10, span=20)
    start, noon = cast.clocks(2, 5, 13, gap=120, step=10)
    return {
        "place": cast.name("*", "region", PLACES, "the *"),
        "a": a,
        "b": b,
        "c": c,
        "leader": leader,
        "absent": leader,
        "counted": camp,
        "scout": second,
        "porter": porter,
        "doctor": doctor,
        "cook": cook,
        "second": second,
        "guide": guide,
        "x": cast.town(),
        "y": cast.town(),
        "z": cast.town(),
        "left": left,
        "camp": camp,
        "top": top,
        "back": back,
        "start": start,
        "noon": noon,
        "high": cast.measure(1240, 4870, "metres", 10),
        "high_b": cast.measure(1240, 4870, "metres", 10),
        "high_c": cast.measure(1240, 4870, "metres", 10),
        "walk": cast.measure(9, 24, "kilometres"),
        "march": cast.count(5, 19, "days"),
        "people": cast.count(5, 12, "members"),
        "rations": cast.count(6, 30, "days"),
        "load": cast.measure(14, 31, "kilograms"),
        "flour": cast.measure(150, 480, "kilograms", 10),
        "used": cast.measure(40, 140, "kilograms", 5),
        "cold": cast.measure(11, 34, "degrees"),
        "mules": cast.count(4, 15, "mules"),
        "aim": cast.phrase(
            "phrase", "rare mosses, old trade paths, bat colonies, meteorites, hot springs, nesting cranes"
        ),
        "present": cast.phrase("phrase", "dried figs, sheep cheese, rye bread, honey, salted fish, green tea"),
        "job": cast.phrase("job", "doctor, surveyor, botanist"),
        "job_b": cast.phrase("job", "cook, map-maker, photographer"),
        "job_c": cast.phrase("job", "guide, radio operator, carpenter"),
        "loss": cast.phrase("phrase", "a tent, the spare stove, two ropes, a sledge, the best kettle, a box of maps"),
        "gift": cast.phrase("phrase", "dried apricots, goat cheese, barley bread, honey, smoked fish, black tea"),
    }


DIARY = layout(
    "diary",
    passage(
        "<Diary of the journey to the {place}.|From my diary, {place}.|Notes kept on the way to the {place}.>",
        "We left {x} on {left} with {mules}<|, in thick fog>.",
        "On {camp} we put up {a} at a height of {high}.",
        "<On the way we lost|A river took> {loss}, and {porter} <swore for an hour|made a song about it>.",
        "Today we set out at {start} and rested at {noon}<|, glad of the shade>.",
        "The villagers gave us {present}.",
        "{scout} <was the first of us to reach|reached> the far side of the {place} on {top}.",
        "We were back in {x} on {back}.",
        ordered=True,
    ),
)
REPORT = layout(
    "report",
    passage(
        "The expedition to the {place} <set out|went> to study {aim}<| for a learned society>.",
        "The expedition was led by {leader}, with {doctor} as doctor and {cook} as cook.",
        "There were {people} in the party, each carrying {load}<|, and nobody complained>.",
        "The march took {march} at {walk} a day.",
        "{a} lay at {high}, {b} at {high_b}.",
        "The last of the camps, {c}, was set up at {high_c}.",
        "Of {flour} of flour, {used} had been eaten by the end of the march.",
        "<Only one thing was lost:|The one loss was> {loss}.",
        "The party left {x} on {left} and returned on {back}.",
    ),
)
RADIO = layout(
    "radio",
    passage(
        "<Radio message from the {place}:|This came over the radio from the {place}.|The base has heard "
        "from the party at the {place}.>",
        "All {people} are well<|, if tired>.",
        "{a} stands at {high} and {b} at {high_b}.",
        "<Last night it was|The night brought> {cold} below zero.",
        "The relief party set out on {counted} and needs {rations} to reach us.",
        "{porter} has a cold, and {guide} <leads|is leading> the way in place of {absent}.",
        "On {top} a mule train with {mules} <will come up|comes up> from {y}.",
        "<Please send|We need> {gift} and news from home.",
    ),
)
KIT = layout(
    "kit",
    passage(
        "Expedition sheet: {place}",
        "Leader: {leader}",
        "Doctor: {doctor}",
        "Cook: {cook}",
        "Members: {people.n}",
        "Load for each member: {load}",
        "Departure from {x}: {left}",
        "Return to {x}: {back}",
        "Days of marching: {march.n}",
        "Distance per day: {walk}",
        "Flour taken: {flour}",
        "Flour used: {used}",
        "Height of {a}: {high}",
        "Height of {b}: {high_b}",
        lines=True,
        most=8,
    ),
    held_out=True,
)
CAMPS_LIST = layout(
    "camps",
    passage(
        "<Each camp has somebody in charge.|The camps are in good hands.>",
        "{leader} runs {a}.",
        "{second} runs {b}.",
        "{guide} runs {c}.",
        heading="<Who runs which camp|Camp leaders>",
        most=3,
    ),
    passage(
        "<The heights were measured again.|From the surveyor's book:>",
        "{a} lies at {high} and was set up on {left}.",
        "{b} lies at {high_b} and was set up on {camp}.",
        "{c} lies at {high_c} and was set up on {top}.",
        heading="<Surveyor's book|The camps>",
        most=2,
    ),
)
MEMBERS = layout(
    "members",
    passage(
        "<The tasks have been given out.|Who does what on the journey?>",
        "The {job} is {doctor}.",
        "The {job_b} is {cook}.",
        "The {job_c} is {guide}.",
        heading="<Tasks|Journey to the {place}>",
        most=3,
    ),
    passage(
        "<Where the members come from.|The newspaper wrote about the members.>",
        "{doctor} comes from {x} and <once ran a night clinic|sings in a choir>.",
        "{cook} comes from {y} and <has a wooden leg|speaks four languages>.",
        "{guide} comes from {z} and <knows every well|was born in a tent>.",
        heading="<The members|From the newspaper>",
        most=2,
    ),
)

QUESTIONS = (
    fact("On which date did the party leave {x}?", "left"),
    fact("On which date was {a} put up?", "camp"),
    fact("<What was lost on the journey|What did the party lose>?", "loss"),
    fact("What did the villagers give to the party?", "present"),
    fact("Who led the expedition?", "leader"),
    fact("Who was the doctor of the expedition?", "doctor"),
    fact("Who was the cook of the expedition?", "cook"),
    fact("What did the expedition <study|want to study>?", "aim"),
    fact("At what height was {a}?", "high"),
    fact("How many mules were there?", "mules"),
    fact("How far did the party march each day?", "walk"),
    fact("How much did each member carry?", "load"),
    fact("How cold was it last night, in degrees below zero?", "cold"),
    fact("On which date did {scout} reach the far side of the {place}?", "top"),
    calc(
        "days_between",
        "How many days after leaving {x} did the party come back?",
        "left",
        "back",
        unit="days",
    ),
    calc("days_between", "How many days after leaving {x} did they put up {a}?", "left", "camp", unit="days"),
    calc("time_between", "How long did they walk before the rest?", "start", "noon"),
    calc("product", "How long was the whole march, in kilometres?", "march", "walk", unit="kilometres"),
    calc(
        "product",
        "How many kilograms did all the members carry together?",
        "people",
        "load",
        unit="kilograms",
    ),
    calc("remainder", "How many kilograms of flour were left?", "flour", "used", unit="kilograms"),
    calc("difference", "By how many metres do {a} and {b} differ in height?", "high", "high_b", unit="metres"),
    calc("date_after", "On which date should the relief party arrive?", "counted", "rations"),
    pick("largest", "Which camp lay higher, {a} or {b}?", ("a", "high"), ("b", "high_b")),
    pick(
        "middle",
        "Which camp was neither the highest nor the lowest of the three?",
        ("a", "high"),
        ("b", "high_b"),
        ("c", "high_c"),
    ),
    hop("Which town does the {job} of the expedition come from?", "job", "doctor", "x", foil="y"),
    hop("From which town does the {job_b} come?", "job_b", "cook", "y", foil="z"),
    hop("Which town does the {job_c} come from?", "job_c", "guide", "z", foil="x"),
    hop("At what height is the camp that {leader} runs?", "leader", "a", "high", foil="high_b"),
    hop("At what height is the camp that {second} runs?", "second", "b", "high_b", foil="high"),
    hop("When was the camp of {guide} set up?", "guide", "c", "top", foil="camp"),
)

TOPIC = Topic("expedition", world, (DIARY, REPORT, RADIO, KIT, CAMPS_LIST, MEMBERS), QUESTIONS)
