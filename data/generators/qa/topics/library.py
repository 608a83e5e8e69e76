"""Town libraries: branches, loans, courses."""

from ..cast import Cast, World
from ..schema import Topic, calc, fact, hop, layout, passage, pick

COURSES = (
    "bookbinding",
    "first aid",
    "map reading",
    "calligraphy",
    "beginners' Welsh",
    "bread baking",
    "chess",
    "family history",
    "bicycle repair",
    "podcasting",
)


def world(cast: Cast) -> World:
    """Return library branches with staff, loans, fees, courses and hours."""
    a, b, c = (cast.site("* Library", "library", "*") for _ in range(3))
    u, v, w = (cast.name("*", "course", COURSES, "the * course") for _ in range(3))
    head, head_b, head_c, tutor, tutor_b, tutor_c, giver = cast.people(7)
    lent, course, course_b = cast.dates(3, first=4, last=10, span=24)
    (opens,), (shuts,) = cast.clocks(1, 8, 11, step=15), cast.clocks(1, 16, 20, step=15)
    (begins,), (begins_b,) = cast.clocks(1, 17, 18, step=5), cast.clocks(1, 19, 20, step=5)
    (founded,), (founded_b,) = cast.years(1, 1888, 1960), cast.years(1, 1888, 1999)
    return {
        "chief_a": head,
        "cards": head,
        "help": head_b,
        "lost": head_c,
        "jumble": course,
        "scarf": cast.phrase("item", "scarf, hat, flute, glove"),
        "flute": cast.phrase("item", "umbrella, camera, torch"),
        "toy": cast.phrase("item", "toy giraffe, lunch box, pencil case"),
        "a": a,
        "b": b,
        "c": c,
        "u": u,
        "v": v,
        "w": w,
        "head": head,
        "head_b": head_b,
        "head_c": head_c,
        "tutor": tutor,
        "tutor_b": tutor_b,
        "tutor_c": tutor_c,
        "giver": giver,
        "x": cast.town(),
        "y": cast.town(),
        "lent": lent,
        "course": course,
        "course_b": course_b,
        "opens": opens,
        "shuts": shuts,
        "begins": begins,
        "begins_b": begins_b,
        "founded": founded,
        "rebuilt": cast.later(founded, 20, 75),
        "founded_b": founded_b,
        "since": cast.years(1, 1992, 2006)[0],
        "since_b": cast.years(1, 2007, 2021)[0],
        "loan": cast.count(14, 35, "days"),
        "late": cast.count(5, 13, "days"),
        "loans": cast.count(2100, 9800, "loans", 50),
        "loans_b": cast.count(2100, 9800, "loans", 50),
        "readers": cast.count(400, 1900, "readers", 20),
        "kids": cast.percent(15, 60),
        "places": cast.count(14, 30, "places"),
        "taken": cast.count(3, 12, "places"),
        "fee": cast.money(12, 48),
        "card": cast.money(5, 11),
        "lunch": cast.money(2, 4),
        "shelf": cast.measure(450, 1900, "metres", 10),
        "shelf_b": cast.measure(450, 1900, "metres", 10),
        "house": cast.phrase(
            "phrase",
            "a former cinema, the old town hall, a converted barn, a tram depot, a railway hotel, a silk factory",
        ),
        "pet": cast.phrase("phrase", "board games, sewing machines, seeds, telescopes, ukuleles, baking tins"),
    }


GUIDE = layout(
    "guide",
    passage(
        "{a} <is housed in|occupies> {house} <near the park|on the main square|beside the canal>.",
        "It was founded in {founded} <with a gift from|with money left by> {giver} and rebuilt in {rebuilt}.",
        "Its shelves have a total length of {shelf}.",
        "<The librarian in charge is|It is run by> {chief_a}.",
        "It has {readers}, of whom {kids} are children.",
        "Besides books one can borrow {pet}.",
        "The branch at {y}, {b}, was founded in {founded_b} and has {shelf_b} of shelves.",
        ordered=True,
    ),
)
RULES = layout(
    "rules",
    passage(
        "<House rules of {a}.|Welcome to {a}.|Good to know at {a}:>",
        "We are open from {opens} to {shuts} on weekdays.",
        "A book may be kept for {loan}, not counting the day of borrowing.",
        "<Today's date stamp reads|The date stamp for today says> {lent}.",
        "A reader's card costs {card} a year, and a bag {lunch}.",
        "You may also borrow {pet}.",
        "Ask {cards} about cards and {lost} about lost books.",
        "On {jumble} there is a jumble sale in the yard.",
    ),
)
EVENTS = layout(
    "events",
    passage(
        "<What is on at {a}.|Courses at {a} this season.|New courses at {a}:>",
        "The course in {u} is on {course} at {begins}.",
        "The course in {v} is on {course_b} at {begins_b}.",
        "{tutor} teaches {u}, {tutor_b} teaches {v}.",
        "There are {places} in the first course, and {taken} are taken<| already>.",
        "The fee is {fee}<|, tea included>.",
        "Last month {a} counted {loans}; {b} counted {loans_b}.",
        "<To sign up for {u} or {v}, see|Places in {u} or {v} are given out by> {help}.",
    ),
)
STAFF = layout(
    "staff",
    passage(
        "<Changes at the branches.|New heads of branch.>",
        "{a} is now run by {head}.",
        "{b} is now run by {head_b}.",
        "{c} is now run by {head_c}.",
        heading="<Branches|Staff news>",
        most=3,
    ),
    passage(
        "<A few lines on each of them.|Who is who?>",
        "{head} comes from {x} and <collects bus tickets|plays the harp|writes crosswords>.",
        "{head_b} comes from {y} and <swims every morning|bakes on Fridays|studied law>.",
        heading="<Who is who|The new heads>",
    ),
)
ROOMS = layout(
    "tutors",
    passage(
        "<Courses and tutors.|Who teaches what?>",
        "The course in {u} is given by {tutor}.",
        "The course in {v} is given by {tutor_b}.",
        "The course in {w} is given by {tutor_c}.",
        heading="<Courses|Course list>",
        most=3,
    ),
    passage(
        "<Where to find the tutors.|Tutors' hours:>",
        "{tutor} can be asked from {begins} at {a}.",
        "{tutor_b} can be asked from {begins_b} at {b}.",
        heading="<Tutors|Consulting hours>",
    ),
)
DESK = layout(
    "desk",
    passage(
        "<Found things are kept at the desks.|Lost property:>",
        "The {scarf} was handed in by {tutor}.",
        "The {flute} was handed in by {tutor_b}.",
        "The {toy} was handed in by {tutor_c}.",
        heading="<Lost property|Found>",
        most=3,
    ),
    passage(
        "<Who reads where?|From the readers' register.>",
        "{tutor} has been a reader at {a} since {since}.",
        "{tutor_b} has been a reader at {b} since {since_b}.",
        heading="<Register|Readers>",
    ),
    held_out=True,
)
FIGURES = layout(
    "figures",
    passage(
        "Figures for {a}",
        "Founded: {founded}",
        "Rebuilt: {rebuilt}",
        "Readers: {readers.n}",
        "Share of children: {kids}",
        "Loans last month: {loans.n}",
        "Loans last month at {b}: {loans_b.n}",
        "Length of shelves: {shelf}",
        "Length of shelves at {b}: {shelf_b}",
        "Opens at: {opens}",
        "Closes at: {shuts}",
        "Head: {chief_a}",
        "Help desk: {help}",
        "Reader's card: {card}",
        lines=True,
        most=8,
    ),
    held_out=True,
)

QUESTIONS = (
    fact("In which year was {a} founded?", "founded"),
    fact("When was {a} rebuilt?", "rebuilt"),
    fact("Who runs {a}?", "chief_a"),
    fact("In which year was {b} founded?", "founded_b"),
    fact("What can be borrowed <there besides books|from {a} besides books>?", "pet"),
    fact("For how long may a book be kept?", "loan"),
    fact("What does a reader's card cost?", "card"),
    fact("At what time does {a} open?", "opens"),
    fact("Who should be asked about lost books?", "lost"),
    fact("On which date is the jumble sale?", "jumble"),
    fact("Who teaches {u}?", "tutor"),
    fact("Who teaches {v}?", "tutor_b"),
    fact("At what time does the course in {v} begin?", "begins_b"),
    fact("How many loans did {b} have last month?", "loans_b"),
    calc("difference", "How many years after its founding was {a} rebuilt?", "rebuilt", "founded", unit="years"),
    calc("percent_of", "How many of the readers are children?", "readers", "kids", unit="children"),
    calc("time_between", "For how long is {a} open on a weekday?", "opens", "shuts"),
    calc("date_after", "What is the last day on which a book borrowed today may be returned?", "lent", "loan"),
    calc("remainder", "How many places are free in the first course?", "places", "taken", unit="places"),
    calc(
        "product",
        "How much money comes in if every place in the first course is paid for?",
        "places",
        "fee",
        unit="money",
    ),
    calc(
        "days_between",
        "How many days after the course in {u} is the course in {v}?",
        "course",
        "course_b",
        unit="days",
    ),
    calc("sum", "How many loans did {a} and {b} have together last month?", "loans", "loans_b", unit="loans"),
    calc(
        "difference",
        "By how many metres do the shelves of {a} and {b} differ in length?",
        "shelf",
        "shelf_b",
        unit="metres",
    ),
    pick("largest", "Which library had more loans last month, {a} or {b}?", ("a", "loans"), ("b", "loans_b")),
    pick("earliest", "Which library is older, {b} or {a}?", ("a", "founded"), ("b", "founded_b")),
    pick("largest", "Which library has more metres of shelves, {a} or {b}?", ("a", "shelf"), ("b", "shelf_b")),
    hop("Which town does the head of {a} come from?", "a", "head", "x", foil="y"),
    hop("From which town is the person who runs {b}?", "b", "head_b", "y", foil="x"),
    hop("At which library can the tutor for {u} be found?", "u", "tutor", "a", foil="b"),
    hop("From what time can the tutor for {v} be asked?", "v", "tutor_b", "begins_b", foil="begins"),
    hop("At which library is the person who handed in the {scarf} a reader?", "scarf", "tutor", "a", foil="b"),
    hop(
        "Since which year has the person who handed in the {flute} been a reader?",
        "flute",
        "tutor_b",
        "since_b",
        foil="since",
    ),
)

TOPIC = Topic("library", world, (GUIDE, RULES, EVENTS, STAFF, ROOMS, DESK, FIGURES), QUESTIONS)
