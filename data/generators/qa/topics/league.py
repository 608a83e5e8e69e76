"""Amateur sports leagues: points, grounds, coaches."""

from ..cast import Cast, World
from ..schema import Topic, calc, fact, hop, layout, passage, pick
from ..values import count

ENDINGS = (
    "Rovers",
    "Wanderers",
    "Harriers",
    "Comets",
    "Lynxes",
    "Anchors",
    "Millers",
    "Herons",
    "Foxes",
    "Sparks",
)
GROUNDS = (
    "Poplar Field",
    "Gasworks Lane",
    "Lower Meadow",
    "Station Park",
    "Castle Green",
    "Tannery Ground",
    "Lock Field",
    "Orchard End",
)


def world(cast: Cast) -> World:
    """Return three teams with coaches, grounds and results."""
    a, b, c = (cast.name(f"{cast.town_name()} *", "team", ENDINGS, "the *") for _ in range(3))
    g, h, i = (cast.name("*", "ground", GROUNDS) for _ in range(3))
    coach, coach_b, coach_c, scorer, referee, captain = cast.people(6)
    first, final = cast.dates(2, first=4, last=10, span=80)
    (kick,) = cast.clocks(1, 13, 19, step=15)
    (founded,), (founded_b,) = cast.years(1, 1889, 1978), cast.years(1, 1889, 1978)
    return {
        "a": a,
        "b": b,
        "c": c,
        "g": g,
        "h": h,
        "i": i,
        "coach": coach,
        "coach_a": coach,
        "captain_a": captain,
        "whistle": referee,
        "cup": cast.phrase(
            "phrase", "a silver cup, a barrel of cider, a roast goose, a painted shield, a new set of balls"
        ),
        "coach_b": coach_b,
        "coach_c": coach_c,
        "scorer": scorer,
        "referee": referee,
        "captain": captain,
        "x": cast.town(),
        "y": cast.town(),
        "first": first,
        "final": final,
        "kick": kick,
        "founded": founded,
        "founded_b": founded_b,
        "wins": count(cast.number(7, 19), "wins"),
        "draws": count(cast.number(2, 6), "draws"),
        "per_win": count(3, "points"),
        "points": cast.count(21, 68, "points"),
        "points_b": cast.count(21, 68, "points"),
        "points_c": cast.count(21, 68, "points"),
        "goals": cast.count(34, 79, "goals"),
        "against": cast.count(20, 33, "goals"),
        "crowd": cast.count(310, 990, "spectators"),
        "crowd_b": cast.count(310, 990, "spectators"),
        "room": cast.count(1000, 2900, "places", 50),
        "room_b": cast.count(1000, 2900, "places", 50),
        "ticket": cast.money(4, 12),
        "minutes": cast.measure(95, 130, "minutes", 5),
        "games": cast.count(20, 34, "games"),
        "kit": cast.phrase("phrase", "green and white, all red, sky blue, yellow and black, orange, purple and grey"),
        "prize": cast.phrase(
            "phrase",
            "a silver jug, a bicycle, a ham, a brass band concert, a week by the sea, a new clubhouse stove",
        ),
    }


REVIEW = layout(
    "review",
    passage(
        "<The season is over for|A look back at the year of|Our season review:> {a}<| and all who follow them>.",
        "{a} finished with {wins} and {draws}; a win <counts|is worth> {per_win} and a draw one point.",
        "{a} scored {goals} and let in {against}.",
        "<The opening match was on|The season began on> {first}; the last match was <played |>on {final}.",
        "{coach_a} is the coach of {a}, and {captain_a} <wears|wore> the captain's armband.",
        "<The best scorer was|Most goals came from> {scorer}, who <won|was given> {prize}.",
        "<{a} wear|The colours of {a} are> {kit}.",
        "{referee} was voted the fairest referee of the league.",
    ),
)
TABLE = layout(
    "standings",
    passage(
        "<News from the final round.|The final round is over.|Figures from the final round.>",
        "{a} <collected|ended up with> {points}.",
        "{b} <collected|ended up with> {points_b}.",
        "{c} <collected|ended up with> {points_c}.",
        "The match between {a} and {b} drew {crowd}.",
        "The match between {b} and {c} drew {crowd_b}.",
        "{a}, founded in {founded}, play in {kit}.",
        "{b} were founded in {founded_b} and <are coached by|train under> {coach_b}.",
        most=5,
    ),
)
PREVIEW = layout(
    "preview",
    passage(
        "<Next match:|Do not miss it:|On the weekend:> {a} <meet|against> {b} at {g}<|, the old ground by the canal>.",
        "<Kick-off is at|The match starts at> {kick}, and with breaks it lasts {minutes}.",
        "The ground has {room}; {crowd} have bought tickets so far.",
        "<A ticket costs|Entry is> {ticket}<|, programme included>.",
        "<The referee is|The referee will be> {whistle}, <known for a loud whistle|a dentist in daily life>.",
        "{a} have {points} in the table and {b} have {points_b}.",
        "{coach_a} coaches {a}; {coach_b} coaches {b}.",
        "The winners <take home|receive> {cup}.",
    ),
)
COACHES = layout(
    "coaches",
    passage(
        "<Coaches for the new season.|All clubs have named their coaches.>",
        "{a}: {coach}.",
        "{b}: {coach_b}.",
        "{c}: {coach_c}.",
        heading="<Club list|Coaches>",
        most=3,
    ),
    passage(
        "<Who are the coaches?|Our reporter met the coaches.>",
        "{coach} comes from {x}, and played in goal for ten years.",
        "{coach_b} comes from {y}, and still plays on Sundays.",
        heading="<Behind the bench|Interviews>",
    ),
)
HOME = layout(
    "grounds",
    passage(
        "<Home grounds were drawn by lot.|Where the clubs play at home.>",
        "{a} play at {g}.",
        "{b} play at {h}.",
        "{c} play at {i}.",
        heading="<Grounds|Home grounds>",
        most=3,
    ),
    passage(
        "<Facts about the grounds.|From the ground inspector:>",
        "{g} has {room}; its groundsman is {referee}.",
        "{h} has {room_b}; its groundsman is {captain}.",
        heading="<Inspection|About the grounds>",
    ),
)
TRANSFERS = layout(
    "transfers",
    passage(
        "<Some players have moved.|Transfer news.>",
        "{scorer} has joined {a}.",
        "{captain} has joined {b}.",
        "{referee} has joined {c}.",
        heading="<Transfers|New faces>",
        most=3,
    ),
    passage(
        "<Training plans for the week.|When and where they train:>",
        "{a} train at {g} from {kick}.",
        "{b} train at {h} <on Mondays|in the evening>.",
        heading="<Training|Training plan>",
    ),
    held_out=True,
)
FACTS = layout(
    "club-card",
    passage(
        "Club card: {a}",
        "Founded: {founded}",
        "Coach: {coach_a}",
        "Captain: {captain_a}",
        "Top scorer: {scorer}",
        "Colours: {kit}",
        "Ground: {g}",
        "Room on the ground: {room}",
        "Wins: {wins.n}",
        "Draws: {draws.n}",
        "Points for a win: {per_win.n}",
        "Points for a draw: 1",
        "Goals scored: {goals.n}",
        "Goals let in: {against.n}",
        "First match: {first}",
        "Last match: {final}",
        lines=True,
        most=9,
    ),
    held_out=True,
)

QUESTIONS = (
    fact("Who <scored most for|was the best scorer of> {a}?", "scorer"),
    fact("Who coaches {a}?", "coach_a"),
    fact("Who is the captain of {a}?", "captain_a"),
    fact("What are the colours of {a}?", "kit"),
    fact("How many goals did {a} score?", "goals"),
    fact("When was the first match of {a}?", "first"),
    fact("How many points do {a} have?", "points"),
    fact("How many points do {b} have?", "points_b"),
    fact("In which year were {a} founded?", "founded"),
    fact("How much is a ticket?", "ticket"),
    fact("Who is the referee of the match?", "whistle"),
    fact("How many spectators came to see {b} against {c}?", "crowd_b"),
    calc("product_plus", "How many points did {a} get in all?", "wins", "per_win", "draws", unit="points"),
    calc("difference", "How many more goals did {a} score than they let in?", "goals", "against", unit="goals"),
    calc(
        "days_between",
        "How many days after the first match was the last match?",
        "first",
        "final",
        unit="days",
    ),
    calc("sum", "How many spectators did the two matches draw together?", "crowd", "crowd_b", unit="spectators"),
    calc("remainder", "How many places on the ground are still free?", "room", "crowd", unit="places"),
    calc("time_after", "If it starts on time, when does the match end?", "kick", "minutes"),
    calc("product", "How much money have the tickets sold so far brought in?", "crowd", "ticket", unit="money"),
    calc("difference", "By how many points do {a} and {b} differ?", "points", "points_b", unit="points"),
    pick(
        "largest",
        "Which club won the final round, with the most points?",
        ("a", "points"),
        ("b", "points_b"),
        ("c", "points_c"),
    ),
    pick(
        "middle",
        "Which club came second in the final round?",
        ("a", "points"),
        ("b", "points_b"),
        ("c", "points_c"),
    ),
    pick("earliest", "Which club was founded first, {a} or {b}?", ("a", "founded"), ("b", "founded_b")),
    hop("Which town does the coach of {a} come from?", "a", "coach", "x", foil="y"),
    hop("Which town does the coach of {b} come from?", "b", "coach_b", "y", foil="x"),
    hop("How many places does the home ground of {a} have?", "a", "g", "room", foil="room_b"),
    hop("Who is the groundsman at the home ground of {b}?", "b", "h", "captain", foil="referee"),
    hop("Who is the groundsman where {a} play at home?", "a", "g", "referee", foil="captain"),
    hop("At which ground does {scorer} train now?", "scorer", "a", "g", foil="h"),
    hop("At which ground will {captain} train?", "captain", "b", "h", foil="g"),
)

TOPIC = Topic("league", world, (REVIEW, TABLE, PREVIEW, COACHES, HOME, TRANSFERS, FACTS), QUESTIONS)
