"""group_plan (hard): an outing that is planned and replanned; the last agreement counts."""

from __future__ import annotations

from datetime import timedelta

from ..draw import Draw
from ..notation import notation, number, older
from ..people import people
from ..places import company, country
from ..spec import Facts, Field, Kind
from ..wording import lines, listing, say

# (activity, price in euros, first and last hour of the start, months)
_OUTINGS = (
    ("canoe trip", 28, 9, 13, (5, 6, 7, 8, 9)),
    ("pottery workshop", 35, 10, 17, ()),
    ("cheese tasting", 24, 16, 20, ()),
    ("escape room", 26, 14, 20, ()),
    ("bowling evening", 15, 17, 20, ()),
    ("guided city walk", 12, 10, 16, ()),
    ("cooking class", 42, 15, 19, ()),
    ("mini golf tournament", 9, 11, 17, (4, 5, 6, 7, 8, 9)),
    ("sauna afternoon", 18, 13, 16, ()),
    ("museum visit", 11, 10, 15, ()),
    ("bike tour", 14, 9, 14, (4, 5, 6, 7, 8, 9, 10)),
    ("karaoke night", 13, 19, 21, ()),
    ("climbing session", 17, 10, 18, ()),
    ("picnic", 8, 11, 15, (5, 6, 7, 8)),
    ("theatre evening", 31, 18, 20, ()),
    ("stargazing night", 7, 20, 22, (1, 2, 3, 9, 10, 11, 12)),
    ("bread baking course", 38, 9, 14, ()),
    ("kayak tour", 33, 9, 13, (5, 6, 7, 8, 9)),
    ("pub quiz", 6, 18, 20, ()),
    ("ice skating", 10, 11, 17, (11, 12, 1, 2)),
)
_POINTS = (
    "North Gate",
    "Mill Lane bus stop",
    "Central Station, main entrance",
    "School Street car park",
    "Market Square fountain",
    "Boathouse 3",
    "Elm Street corner",
    "ticket office West",
    "Bridge Bakery",
    "Café Anker",
    "Terminus tram stop",
    "platform 6",
    "Old Lighthouse",
    "City Hall steps",
    "Parking P2",
)


def facts(d: Draw) -> Facts:
    """Return a first plan, what changed, who comes and who does not."""
    land = country(d)
    group = people(d, 5)
    host, coming, out = group[0], group[:4], group[4:]
    what, price, first, last, months = d.pick(_OUTINGS)
    n = notation(d, land)
    quoted = older(d, n)
    old_day = d.day(3, 6)
    while months and old_day.month not in months:
        old_day = d.day(3, 6)
    new_day = old_day + timedelta(days=d.pick((1, 7, 8, 14)))
    old_clock, new_clock = d.sample(
        [f"{hour:02d}:{minute}" for hour in range(first, last + 1) for minute in ("00", "30")], 2
    )
    cents = price * land.scale * 100
    old_point, new_point = d.sample(_POINTS, 2)
    moves, priced = d.chance(0.5), d.chance(0.65)
    return {
        "activity": what,
        "date": new_day.isoformat(),
        "start_time": new_clock,
        "meeting_point": new_point if moves else old_point,
        "coming": [who.full for who in coming],
        "not_coming": [who.full for who in out],
        "cost_per_person": {"amount": number(cents), "currency": land.currency} if priced else None,
        "old_day": quoted.date(old_day),
        "day": n.date(new_day),
        "old_clock": quoted.time(old_clock),
        "clock": n.time(new_clock),
        "old_point": old_point,
        "new_point": new_point if moves else "",
        "cost": n.money(cents) if priced else "",
        "host": host,
        "group": coming,
        "out": out[0],
        "firm": company(d, land),
        "city": d.pick(land.cities),
        "excuse": d.pick(
            (
                "my sister is visiting me",
                "I have to work",
                "the dentist, sorry",
                "I caught a cold",
                "we move house then",
                "no babysitter",
                "my knee still hurts",
                "I am abroad",
            )
        ),
    }


def _point(f: Facts, pattern: str) -> str:
    """Return the pattern with the new meeting point, or nothing."""
    return pattern.format(f["new_point"]) if f["new_point"] else ""


def chat_group(d: Draw, f: Facts) -> str:
    """A group chat with clock times in front."""
    host, second, third, fourth = (who.full for who in f["group"])
    talk = [
        f"{host}: {f['activity']} in {f['city']}! {f['old_day']}, {f['old_clock']}, we meet "
        f"here: {f['old_point']}. "
        "Who is in?",
        f"{second}: {d.pick(('me!', 'count me in', 'yes please', 'sounds good'))}",
        f"{third}: {f['old_day']} is bad for me. What about {f['day']}, {f['clock']}? Then I am in",
        f"{fourth}: {d.pick(('that works for me too, see you', 'better for me as well, I come'))}",
        f"{host}: ok, moved: {f['day']} at {f['clock']}. I come of course." + _point(f, " New meeting point: {}."),
        f"{second}: {d.pick(('new date is fine, I come', 'still in', 'good for me as well, I will be there'))}",
        f"{f['out'].full}: {d.pick(('no chance for me then,', 'I have to skip it,', 'not me,'))} {f['excuse']}",
        f"{host}: it costs {f['cost']} each" if f["cost"] else "",
    ]
    minute = d.between(2, 9)
    return "\n".join(f"[{18 + i // 5}:{minute + 7 * (i % 5):02d}] {text}" for i, text in enumerate(talk) if text)


def mail_exchange(d: Draw, f: Facts) -> str:
    """A mail with the final plan above the older one."""
    host, *rest = (who.full for who in f["group"])
    return lines(
        f"From: {host}",
        f"Subject: Re: {f['activity']} -- NEW DATE",
        d.pick(("Hello again,", "Dear friends,", "Hi all,")),
        say(
            f"because of {d.pick(('the weather', 'the many absences', 'a double booking'))} we "
            f"do it on {f['day']} and "
            f"start at {f['clock']}.",
            _point(f, "We now meet at another place: {}."),
        ),
        f'I am coming, and so are {listing(rest)}. {f["out"].full} wrote: "{f["excuse"]}" and will not come.',
        f"Each of us pays {f['cost']}." if f["cost"] else "",
        host,
        "\n",
        f"> {host} wrote: our {f['activity']} takes place on {f['old_day']}, start {f['old_clock']}. "
        f"Meeting point: {f['old_point']}.",
    )


def forum(d: Draw, f: Facts) -> str:
    """A thread in a club forum; the first post carries an edit."""
    host, *rest = (who.full for who in f["group"])
    replies = [f"{name}: {d.pick(('+1', 'I will be there', 'coming', 'happy to join', 'signed up'))}" for name in rest]
    replies.insert(d.between(0, 3), f"{f['out'].full}: sorry, {f['excuse']}, have fun without me")
    return lines(
        f"[{d.pick(('Club', 'Team', 'Neighbours'))} forum] {f['activity']}",
        f"{host} (organiser, takes part) wrote:",
        f"Planned: {f['old_day']}, {f['old_clock']}. Meeting point: {f['old_point']}.",
        f"EDIT, this replaces the above: {f['day']}, {f['clock']}." + _point(f, " Meeting point: {}."),
        f"Price per head: {f['cost']}" if f["cost"] else "",
        f"{len(replies)} replies",
        *replies,
    )


def poll(d: Draw, f: Facts) -> str:
    """The result of a poll on dates."""
    votes = d.between(3, 4)
    return lines(
        f"POLL CLOSED: {f['activity']} ({f['firm']} staff club)",
        *d.shuffled(
            (
                f"{f['day']}, {f['clock']}: {votes} votes -- CHOSEN",
                f"{f['old_day']}, {f['old_clock']}: {votes - 2} vote{'s' if votes > 3 else ''}",
            )
        ),
        f"Yes: {', '.join(who.full for who in f['group'])}",
        f"No: {f['out'].full} ({f['excuse']})",
        f"Meet at: {f['new_point']} (not {f['old_point']} as first announced)"
        if f["new_point"]
        else f"Meet at: {f['old_point']}",
        f"Costs: {f['cost']} per person" if f["cost"] else "",
        d.maybe("Bring good shoes.", f"Questions to {f['host'].full}.", "The poll is closed, no more votes."),
    )


def diary(d: Draw, f: Facts) -> str:
    """A voice memo to oneself, written out."""
    host, *rest = (who.full for who in f["group"])
    return say(
        f"Memo by {host}: the {f['activity']} was first planned for {f['old_day']} at "
        f"{f['old_clock']}, but that is off.",
        f"It is now on {f['day']}, and we start at {f['clock']}.",
        f"The meeting point was going to be {f['old_point']}; we changed it to: {f['new_point']}."
        if f["new_point"]
        else f"Meeting point as before: {f['old_point']}.",
        f"Coming besides me: {listing(rest)}.",
        f"{f['out'].full} said no ({f['excuse']}).",
        f"I must collect {f['cost']} from everyone." if f["cost"] else "I do not know yet what it costs.",
    )


def notice(d: Draw, f: Facts) -> str:
    """A notice by the door, corrected by hand; signed up or crossed out by name."""
    names = [f"[x] {who.full}" for who in f["group"]]
    names.insert(d.between(0, 4), f"[ ] {f['out'].full} -- no, {f['excuse']}")
    return lines(
        f"{f['firm']} -- staff outing: {f['activity']}",
        f"Date: ~~{f['old_day']}~~ {f['day']}",
        f"Start: ~~{f['old_clock']}~~ {f['clock']}",
        f"Meeting point: ~~{f['old_point']}~~ {f['new_point']}"
        if f["new_point"]
        else f"Meeting point: {f['old_point']}",
        f"{f['cost']} each, cash" if f["cost"] else "",
        "Tick your name if you come:",
        *names,
    )


KIND = Kind(
    name="group_plan",
    slice="hard",
    fields=(
        Field("activity"),
        Field("date", "date", "latest agreed"),
        Field("start_time", "time", "latest agreed"),
        Field("meeting_point", note="latest agreed"),
        Field("coming", many=True, note="full names"),
        Field("not_coming", many=True, note="full names"),
        Field("cost_per_person", nullable=True, parts=(Field("amount", "number"), Field("currency", "currency"))),
    ),
    facts=facts,
    layouts={"chat_group": chat_group, "mail_exchange": mail_exchange, "forum": forum, "poll": poll},
    held_out={"diary": diary, "notice": notice},
)
