"""minutes (hard): who was there, what is still to do, when the next meeting is."""

from __future__ import annotations

from datetime import timedelta

from ..draw import Draw
from ..notation import notation, older
from ..people import Person, people
from ..places import company, country
from ..spec import Facts, Field, Kind
from ..wording import lines, listing

_TASKS = (
    "update the price list",
    "book the training room",
    "send the floor plan to the architect",
    "ask three firms for a quote",
    "write the text for the home page",
    "renew the fire certificate",
    "collect the keys from the caretaker",
    "prepare the budget for next year",
    "test the new scanners",
    "order 200 name badges",
    "call the insurance about the water damage",
    "draft the answer to the council",
    "translate the safety sheet",
    "clean up the shared mailbox",
    "check the stock of spare filters",
    "present the survey results",
    "find a speaker for the open day",
    "repair the door of the bike shed",
    "move the archive to the basement",
    "invite the new apprentices",
    "review the contract with the caterer",
    "set up the backup server",
    "publish the summer timetable",
    "count the loan laptops",
    "photograph the new products",
    "cancel the old phone lines",
    "plan the stand for the fair",
    "compare two payroll programs",
    "label the emergency exits",
    "thank the volunteers",
)
_TEAMS = (
    "Site team",
    "Works council",
    "Editorial board",
    "Project Aurora",
    "Parents' committee",
    "Shop floor group",
    "Marketing round",
    "Library committee",
    "Safety committee",
    "Harvest planning",
    "IT steering group",
)


def facts(d: Draw) -> Facts:
    """Return a meeting with open actions, one finished action, and somebody who was absent."""
    land = country(d)
    group = people(d, 5)
    present, absent = group[:4], group[4]
    day = d.day(0, 4)
    n = notation(d, land)
    tasks = d.sample(_TASKS, 4)
    actions = []
    for owner, task in zip(d.shuffled(present[1:]), tasks[: d.between(2, 3)], strict=False):
        due = d.day(0, 4, day + timedelta(days=3)) if d.chance(0.7) else None
        actions.append(
            {
                "owner": owner.full,
                "task": task,
                "due": due.isoformat() if due else None,
                "due_text": n.date(due) if due else "",
            }
        )
    after = day + timedelta(days=d.pick((7, 14, 21, 28))) if d.chance(0.7) else None
    clock = d.clock(8, 16, 30)
    return {
        "meeting_date": day.isoformat(),
        "attendees": [who.full for who in present],
        "actions": [{key: action[key] for key in ("owner", "task", "due")} for action in actions],
        "next_meeting": {"date": after.isoformat(), "time": clock} if after else None,
        "todo": actions,
        "done": (d.pick(present[2:]).full, tasks[3]),
        "absent": absent,
        "present": present,
        "day": n.date(day),
        "last": older(d, n).date(day - timedelta(days=14)),
        "next": (n.date(after), n.time(clock)) if after else None,
        "start": n.time(d.clock(8, 16, 30)),
        "team": d.pick(_TEAMS),
        "firm": company(d, land),
    }


def _names(f: Facts) -> list[str]:
    """Return the full names of those present."""
    return [who.full for who in f["present"]]


def _next(f: Facts, pattern: str) -> str:
    """Return the pattern with date and time of the next meeting, or nothing."""
    return pattern.format(*f["next"]) if f["next"] else ""


def _todo(f: Facts, pattern: str, due: str, none: str = "") -> list[str]:
    """Return one text for each open action."""
    return [
        pattern.format(**action) + (due.format(action["due_text"]) if action["due_text"] else none)
        for action in f["todo"]
    ]


def formal(d: Draw, f: Facts) -> str:
    """Formal minutes with numbered headings."""
    owner, task = f["done"]
    return lines(
        f"MINUTES -- {f['team']}, {f['firm']}",
        f"Date: {f['day']}, {f['start']}",
        f"Present: {', '.join(_names(f))}",
        f"Apologies: {f['absent'].full}",
        f"1. Minutes of {f['last']}: approved. Closed: {task} ({owner}).",
        "2. Open actions",
        *_todo(f, "- {owner}: {task}", ", by {}"),
        _next(f, "3. Next meeting: {} at {}"),
        d.maybe(
            "The chair thanked everyone.",
            f"The meeting closed after {d.between(35, 90)} minutes.",
            f"Minutes kept by {f['present'][0].full}.",
            share=0.8,
        ),
    )


def summary_mail(d: Draw, f: Facts) -> str:
    """A mail to those who were there, with a quoted line of an older mail."""
    owner, task = f["done"]
    writer: Person = f["present"][0]
    return lines(
        f"Subject: {f['team']} on {f['day']}",
        d.pick(("Dear all,", "Hi everyone,", "Hello team,")),
        f"thanks for coming: {listing(_names(f))}. {f['absent'].full} could not be there.",
        d.pick(("What we agreed:", "To do:", "Still open after today:")),
        *_todo(f, "* {owner} will {task}", " (until {})"),
        f"Already finished: {owner} managed to {task}. Great!",
        _next(f, d.pick(("We meet again on {} at {}.", "Our next meeting is on {}, {}."))),
        writer.full,
        "\n",
        f"> Reminder: our meeting of {f['last']} had to end early, so we go on today.",
    )


def chat_recap(d: Draw, f: Facts) -> str:
    """A recap in a team channel, with one answer."""
    owner, task = f["done"]
    bot = d.pick(("recap-bot", "notes", "minutes-bot"))
    return lines(
        f"#{f['team'].lower().replace(' ', '-')}",
        f"{bot}: Recap of the call on {f['day']} ({f['firm']})",
        f"{bot}: joined: {', '.join(_names(f))}",
        *[f"{bot}: [ ] {text}" for text in _todo(f, "{task} -- {owner}", ", due {}")],
        f"{bot}: [x] {task} -- {owner}",
        _next(f, f"{bot}: next call {{}} {{}}"),
        f"{f['absent'].full}: {d.pick(('sorry I missed it, train was late', 'sorry, was ill and could not join'))}",
        f"{f['present'][1].full}: {d.pick(('no problem', 'get well soon', 'we missed you'))}",
    )


def notebook(d: Draw, f: Facts) -> str:
    """Notes in somebody's notebook."""
    owner, task = f["done"]
    return lines(
        f"{f['day']} {f['team']} ({f['start']})",
        f"in the room: {' / '.join(_names(f))}",
        f"NOT here: {f['absent'].full}",
        d.maybe("coffee machine broken again", "long talk about parking", "hot!"),
        *_todo(f, "-> {owner}: {task}", " | deadline {}", " | no deadline"),
        f"-> {owner}: {task} -- DONE, crossed off",
        _next(f, "again on {}, {}"),
        d.maybe(f"(last time was {f['last']})", "ask about the heating next time", share=0.7),
    )


def task_table(d: Draw, f: Facts) -> str:
    """A protocol with a table of tasks in all states."""
    owner, task = f["done"]
    rows = [f"| {action['task']} | {action['owner']} | {action['due_text'] or '-'} | open |" for action in f["todo"]]
    rows.append(f"| {task} | {owner} | {f['last']} | done |")
    return lines(
        f"**{f['team']}**, protocol of {f['day']}, previous protocol {f['last']}",
        f"Took part: {'; '.join(_names(f))}. Excused: {f['absent'].full}.",
        "\n",
        "| task | who | due | state |",
        "|---|---|---|---|",
        *d.shuffled(rows),
        "\n",
        _next(f, "Next meeting on {}, {}.") or "The date of the next meeting is still to be fixed.",
    )


def transcript(d: Draw, f: Facts) -> str:
    """The end of a transcript, where the chair sums up."""
    chair = f["present"][0].full
    owner, task = f["done"]
    listener = f["present"][1]
    return lines(
        f"Transcript, {f['team']}, {f['day']}. In the call: {', '.join(_names(f))}.",
        f"{chair}: {f['absent'].full} is on holiday. Let me sum up.",
        *_todo(
            f,
            f"{chair}: {d.pick(('{owner} is going to {task}', '{owner} will {task}'))}",
            d.pick((", and needs to finish by {}.", "; that has to be done by {}.")),
            ".",
        ),
        f"{listener.full}: "
        f"{d.pick(('And what about the old point, to', 'Wasn' + chr(39) + 't there also the plan to'))} "
        f"{task}?",
        f"{chair}: {owner} {d.pick(('did that last week, so it is off the list.', 'has finished that already.'))}",
        _next(f, f"{chair}: We meet next on {{}} at {{}}.") or f"{chair}: I will send a date for the next meeting.",
    )


KIND = Kind(
    name="minutes",
    slice="hard",
    fields=(
        Field("meeting_date", "date"),
        Field("attendees", many=True, note="full names"),
        Field(
            "actions",
            many=True,
            order_by="task",
            note="open ones only",
            parts=(Field("owner"), Field("task"), Field("due", "date", nullable=True)),
        ),
        Field("next_meeting", nullable=True, parts=(Field("date", "date"), Field("time", "time"))),
    ),
    facts=facts,
    layouts={"formal": formal, "summary_mail": summary_mail, "chat_recap": chat_recap, "notebook": notebook},
    held_out={"task_table": task_table, "transcript": transcript},
)
