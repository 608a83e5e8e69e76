"""Software projects: releases, maintainers, reports."""

from ..cast import Cast, World
from ..schema import Topic, calc, fact, hop, layout, passage, pick

PROGRAMS = (
    "Tidemark",
    "Lanternfish",
    "Parsnip",
    "Greywire",
    "Quartzline",
    "Mossbox",
    "Pebblecast",
    "Ostrya",
    "Halfmoon",
    "Brackish",
    "Nimbleton",
    "Copperleaf",
)
MODULES = (
    "importer",
    "scheduler",
    "search index",
    "mail gateway",
    "login page",
    "chart view",
    "backup job",
    "translation editor",
)


def world(cast: Cast) -> World:
    """Return programs with releases, people, sizes and error reports."""
    a, b, c = (cast.name("*", "program", PROGRAMS) for _ in range(3))
    m, n, o = (cast.name("*", "module", MODULES, "the *") for _ in range(3))
    head, tester, head_b, writer, keeper, keeper_b, keeper_c = cast.people(7)
    first, second, due, party = cast.dates(4, first=4, last=10, span=27)
    begun, begun_b = cast.years(2, 2003, 2021, gap=1)
    (meet,), (stop,) = cast.clocks(1, 9, 12, step=5), cast.clocks(1, 13, 15, step=5)
    return {
        "a": a,
        "b": b,
        "c": c,
        "m": m,
        "n": n,
        "o": o,
        "head": head,
        "lead": head,
        "chair": head,
        "notes": tester,
        "tester_a": tester,
        "handbook": writer,
        "tester": tester,
        "head_b": head_b,
        "writer": writer,
        "keeper": keeper,
        "keeper_b": keeper_b,
        "keeper_c": keeper_c,
        "x": cast.town(),
        "y": cast.town(),
        "z": cast.town(),
        "first": first,
        "second": second,
        "due": due,
        "party": party,
        "begun": begun,
        "begun_b": begun_b,
        "meet": meet,
        "stop": stop,
        "bugs": cast.count(24, 98, "errors"),
        "bugs_b": cast.count(12, 95, "errors"),
        "open": cast.count(110, 190, "reports"),
        "closed": cast.count(21, 99, "reports"),
        "size": cast.measure(18, 190, "megabytes"),
        "size_b": cast.measure(18, 190, "megabytes"),
        "size_then": cast.measure(200, 340, "megabytes"),
        "users": cast.count(1200, 9800, "users", 100),
        "share": cast.percent(5, 60),
        "seats": cast.count(8, 45, "seats"),
        "licence": cast.money(12, 59),
        "tests": cast.count(310, 990, "tests"),
        "fail": cast.count(3, 20, "tests"),
        "job": cast.phrase(
            "phrase", "bird counts, recipes, tram timetables, seed catalogues, choir scores, tide tables"
        ),
        "tongue_a": cast.phrase("phrase", "Python, Java, Swift, Lua, Scala, Perl"),
        "tongue": cast.phrase("phrase", "Rust, Kotlin, Haskell, Go, Ruby, Elixir"),
    }


ABOUT = layout(
    "about",
    passage(
        "{a} is a <small|free|much-loved> program for managing {job}<|, written in {tongue_a}>.",
        "<Work on it began in {begun}|It was begun in {begun}> <in a student flat|at a kitchen "
        "table|during a long winter>.",
        "<The project is led by|At its head stands> {lead}, while {handbook} <writes|looks after> the handbook.",
        "The installer <takes up|needs> {size}<|, icons included>.",
        "A similar program, {b}, was begun in {begun_b} and <takes up|needs> {size_b}.",
        "{a} has {users}, of whom {share} <use it on a phone|have the mobile version>.",
        "A <school|firm> in {x} pays for {seats} at {licence} each <to get support by telephone|and may "
        "ring for help>.",
        ordered=True,
    ),
)
NOTES = layout(
    "notes",
    passage(
        "<Release notes for|What is new in|Changes in> {a}<| this spring>:",
        "Version 2.1 came out on {first}.",
        "Version 2.2 followed on {second}.",
        "Version 2.3 is planned for {due}.",
        "Version 2.1 corrected {bugs}, mostly in the {m}.",
        "Version 2.2 corrected {bugs_b}, mostly in the {n}.",
        "The installer shrank from {size_then} to {size}.",
        "Thanks go to {tester_a}, who tested every build, and to {handbook} for the handbook.",
        ordered=True,
    ),
)
STANDUP = layout(
    "meeting",
    passage(
        "<Minutes of the {a} meeting.|The {a} team met this morning.|Short minutes, {a} team.>",
        "We began at {meet} and finished at {stop}<|, with one break>.",
        "{chair} chaired; {notes} took notes.",
        "Of {open} from users, {closed} have been closed.",
        "The build runs {tests}, and {fail.n} of them fail at present.",
        "<The next release is set for|Everyone agreed to release on> {due}.",
        "The party for the old team is on {party}, at a hall in {y}.",
        "{writer} is rewriting the {m} in {tongue}.",
    ),
)
SHEET = layout(
    "sheet",
    passage(
        "Project sheet: {a}",
        "Begun: {begun}",
        "Lead: {lead}",
        "Tester: {tester_a}",
        "Handbook: {handbook}",
        "Language: {tongue_a}",
        "Used for: {job}",
        "Users: {users.n}",
        "Share of users on a phone: {share}",
        "Size of the installer: {size}",
        "Size before the clean-up: {size_then}",
        "Tests: {tests.n}",
        "Failing tests: {fail.n}",
        "Next release: {due}",
        "Last release: {second}",
        lines=True,
        most=8,
    ),
    held_out=True,
)
OWNERS = layout(
    "owners",
    passage(
        "<Where users reported trouble.|Incidents of the past week.>",
        "The failure on {first} was in the {m}.",
        "The failure on {second} was in the {n}.",
        "The failure on {due} was in the {o}.",
        heading="<Incidents|Trouble log>",
        most=3,
    ),
    passage(
        "<Every part has one owner.|Who owns which part of the code?>",
        "The {m} is owned by {keeper}.",
        "The {n} is owned by {keeper_b}.",
        "The {o} is owned by {keeper_c}.",
        heading="<Code owners|Owners of the parts>",
        most=2,
    ),
)
OFFICES = layout(
    "offices",
    passage(
        "<The programs have new leads.|Leads for this year:>",
        "{a} is led by {head}.",
        "{b} is led by {head_b}.",
        "{c} is led by {writer}.",
        heading="<Leads|Who leads what>",
        most=3,
    ),
    passage(
        "<We are spread over several towns.|Where people work from.>",
        "{head} works from {x} and is online from {meet}.",
        "{head_b} works from {y} and is online from {stop}.",
        heading="<Team page|Our offices>",
    ),
)

QUESTIONS = (
    fact("In which year was {a} begun?", "begun"),
    fact("Who leads the {a} project?", "lead"),
    fact("Who writes the handbook of {a}?", "handbook"),
    fact("What is {a} used for managing?", "job"),
    fact("In which language is {a} written?", "tongue_a"),
    fact("How much space does the installer of {a} take<| today>?", "size"),
    fact("How many users does {a} have?", "users"),
    fact("On which date did version 2.1 <of {a} |>come out?", "first"),
    fact("When did version 2.2 <of {a} |>come out?", "second"),
    fact("How many errors did version 2.1 correct?", "bugs"),
    fact("Who chaired the meeting?", "chair"),
    fact("Who took notes at the meeting?", "notes"),
    fact("Who tested the builds<| of {a}>?", "tester_a"),
    fact("On which date is the party?", "party"),
    fact("How many tests does the build <of {a} |>run?", "tests"),
    calc("percent_of", "How many users of {a} have it on a phone?", "users", "share", unit="users"),
    calc(
        "product",
        "How much do all the seats paid for in {x} cost together?",
        "seats",
        "licence",
        unit="money",
    ),
    calc(
        "days_between",
        "How many days lay between version 2.1 and version 2.2?",
        "first",
        "second",
        unit="days",
    ),
    calc("sum", "How many errors did versions 2.1 and 2.2 correct together?", "bugs", "bugs_b", unit="errors"),
    calc(
        "difference",
        "By how many megabytes did the installer of {a} shrink?",
        "size_then",
        "size",
        unit="megabytes",
    ),
    calc(
        "difference",
        "By how many megabytes do the installers of {a} and {b} differ?",
        "size",
        "size_b",
        unit="megabytes",
    ),
    calc("time_between", "How long did the meeting last?", "meet", "stop"),
    calc("remainder", "How many reports are still open?", "open", "closed", unit="reports"),
    calc("remainder", "How many tests do not fail?", "tests", "fail", unit="tests"),
    pick("earliest", "Which program was begun first, {a} or {b}?", ("a", "begun"), ("b", "begun_b")),
    pick("smallest", "Which installer is smaller, that of {b} or that of {a}?", ("a", "size"), ("b", "size_b")),
    calc("days_between", "How many days after the next release is the party?", "due", "party", unit="days"),
    hop("Who owns the part that failed on {first}?", "first", "m", "keeper", foil="keeper_b"),
    hop("Who is the owner of the part that failed on {second}?", "second", "n", "keeper_b", foil="keeper_c"),
    hop("Who owns the part that failed on {due}?", "due", "o", "keeper_c", foil="keeper"),
    hop("From which town does the lead of {a} work?", "a", "head", "x", foil="y"),
    hop("Where does the person who leads {b} work?", "b", "head_b", "y", foil="x"),
    hop("From what time is the lead of {a} online?", "a", "head", "meet", foil="stop"),
)

TOPIC = Topic("software", world, (ABOUT, NOTES, STANDUP, SHEET, OWNERS, OFFICES), QUESTIONS)
