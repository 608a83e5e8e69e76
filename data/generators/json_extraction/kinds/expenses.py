"""expenses (hard): what of a travel expense report was approved."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ..draw import Draw
from ..notation import Notation, notation, number
from ..people import people
from ..places import COUNTRIES, company, country
from ..spec import Facts, Field, Kind
from ..wording import closing, lines, say

_COSTS = (
    ("taxi to the airport", 38),
    ("hotel, two nights", 212),
    ("train ticket", 64),
    ("lunch with client", 57),
    ("parking", 16),
    ("conference fee", 290),
    ("rental car", 118),
    ("fuel", 49),
    ("metro day pass", 9),
    ("visa fee", 45),
    ("printing of posters", 31),
    ("dinner with supplier", 83),
    ("excess baggage", 40),
    ("ferry ticket", 27),
    ("phone charger", 22),
    ("tool hire", 75),
    ("courier", 19),
    ("toll", 12),
)
_REFUSED = (
    ("minibar", 18),
    ("cinema ticket", 14),
    ("speeding fine", 60),
    ("spa entry", 35),
    ("gift shop", 26),
    ("upgrade to first class", 72),
    ("cocktails", 41),
    ("dry cleaning", 23),
)
# short, and as a clause
_REASONS = (
    ("private", "it is private"),
    ("no receipt", "the receipt is missing"),
    ("not covered by the travel rules", "the travel rules do not cover it"),
    ("not agreed beforehand", "it was not agreed beforehand"),
    ("claimed twice", "it was claimed before"),
)


def _entry(d: Draw, name: str, price: int, day: Any, n: Notation, scale: int) -> dict[str, Any]:
    """Return one cost with its values for the target and its texts for the document."""
    cents = price * scale * 100 + (0 if scale > 50 else d.pick((0, 0, 20, 50, 80, 95)))
    return {
        "date": day.isoformat(),
        "description": name,
        "amount": number(cents),
        "currency": n.currency,
        "day": n.date(day),
        "sum": n.money(cents),
    }


def facts(d: Draw) -> Facts:
    """Return two or three approved costs in one or two currencies, and one that was refused."""
    home = country(d)
    abroad = d.pick([land for land in COUNTRIES.values() if land.currency != home.currency])
    who, boss = people(d, 2)
    n, m = notation(d, home), notation(d, abroad)
    first = d.day(0, 3)
    days = [first + timedelta(days=offset) for offset in (0, 1, 1, 2)]
    names = d.sample(_COSTS, d.between(2, 3))
    entries = []
    for index, (name, price) in enumerate(names):
        land, style = (home, n) if index == 0 else (abroad, m)
        entries.append(
            _entry(
                d,
                name,
                price,
                days[index],
                Notation(n.dates, n.times, style.amounts, style.currency),
                land.scale,
            )
        )
    refused, price = d.pick(_REFUSED)
    paid = first + timedelta(days=d.between(10, 25)) if d.chance(0.6) else None
    return {
        "employee": who.full,
        "report_number": d.code(d.pick(("ER-####", "TR/###-##", "EXP#####", "R####@"))),
        "items": [{key: entry[key] for key in ("date", "description", "amount", "currency")} for entry in entries],
        "payout_date": paid.isoformat() if paid else None,
        "entries": entries,
        "refused": _entry(d, refused, price, days[3], Notation(n.dates, n.times, m.amounts, m.currency), abroad.scale),
        "reason": (reason := d.pick(_REASONS))[0],
        "because": reason[1],
        "paid": n.date(paid) if paid else "",
        "filed": n.date(first + timedelta(days=7)),
        "who": who,
        "boss": boss,
        "city": d.pick(abroad.cities),
        "firm": company(d, home),
    }


def _rows(f: Facts, pattern: str) -> list[str]:
    """Return one text for each approved cost."""
    return [pattern.format(**entry) for entry in f["entries"]]


def _paid(f: Facts, pattern: str) -> str:
    """Return the pattern with the day of payment, or nothing."""
    return pattern.format(f["paid"]) if f["paid"] else ""


def checked_form(d: Draw, f: Facts) -> str:
    """A form with a mark in front of each cost."""
    pattern = d.pick(("{day}  {description}  {sum}", "{description}, {day}: {sum}", "{sum}  {description}  ({day})"))
    rows = [f"[ok] {row}" for row in _rows(f, pattern)]
    rows.insert(d.between(0, len(rows)), f"[refused: {f['reason']}] {pattern.format(**f['refused'])}")
    return lines(
        f"TRAVEL EXPENSES {f['report_number']}",
        f"Employee: {f['employee']}, {f['firm']}",
        f"Trip to {f['city']}, filed {f['filed']}",
        *rows,
        f"Checked by {f['boss'].full}",
        _paid(f, d.pick(("Payment on {}", "To be paid on {}"))),
    )


def answer_mail(d: Draw, f: Facts) -> str:
    """A mail from accounting above the quoted claim."""
    refused = f["refused"]
    claim = d.shuffled(
        [
            *_rows(f, "> {description}: {sum} ({day})"),
            f"> {refused['description']}: {refused['sum']} ({refused['day']})",
        ]
    )
    return lines(
        f"Subject: your report {f['report_number']}",
        f"Dear {f['who'].formal},",
        say(
            d.pick(
                (
                    "I have approved everything on your list below except one entry:",
                    "your list below is fine, with one exception:",
                )
            ),
            f"we cannot pay the {refused['description']} ({f['reason']}).",
            _paid(f, d.pick(("You will get the money on {}.", "The bank transfer goes out on {}."))),
        ),
        closing(d),
        f["boss"].full,
        "\n",
        f"> On {f['filed']} {f['employee']} wrote:",
        f"> my costs in {f['city']}:",
        *claim,
    )


def approval_chat(d: Draw, f: Facts) -> str:
    """A chat in which the manager goes through the costs one by one."""
    me, boss = f["employee"], f["boss"].full
    talk = [f"{me}: report {f['report_number']}, trip to {f['city']}. can you approve?"]
    costs = [(entry, True) for entry in f["entries"]]
    costs.insert(d.between(0, len(costs)), (f["refused"], False))
    for entry, approved in costs:
        talk.append(f"{me}: {entry['day']}, {entry['description']}, {entry['sum']}")
        talk.append(
            f"{boss}: {d.pick(('ok', 'approved', 'fine', 'yes'))}" if approved else f"{boss}: no, {f['reason']}"
        )
    return lines(*talk, f"{boss}: {_paid(f, 'payment is on {}')}" if f["paid"] else f"{boss}: all done then")


def sheet(d: Draw, f: Facts) -> str:
    """Rows pasted from a spreadsheet, with a column for the decision."""
    mark = d.pick((" ; ", " | "))
    keys = d.shuffled(("day", "description", "sum"))
    pattern = mark.join(f"{{{key}}}" for key in keys)
    rows = [row + mark + "yes" for row in _rows(f, pattern)]
    rows.insert(d.between(0, len(rows)), pattern.format(**f["refused"]) + mark + f"no ({f['reason']})")
    names = {"day": "date", "description": "what", "sum": "cost"}
    return lines(
        f"report {f['report_number']}{mark}{f['employee']}{mark}{f['firm']}",
        mark.join([*[names[key] for key in keys], "approved"]),
        *rows,
        f"decided by {f['boss'].full}, {f['filed']}",
        _paid(f, "payout {}"),
    )


def auditor_note(d: Draw, f: Facts) -> str:
    """The note of an auditor, in running text."""
    refused = f["refused"]
    return lines(
        f"Audit note on {f['report_number']} ({f['firm']})",
        say(
            f"{f['employee']} travelled to {f['city']} and filed the report on {f['filed']}.",
            "I accept these costs: " + "; ".join(_rows(f, "{description} on {day} for {sum}")) + ".",
            f"I do not accept the {refused['description']} of {refused['day']} over "
            f"{refused['sum']}, because "
            f"{f['because']}.",
        ),
        _paid(f, "The accepted costs are paid on {}."),
        f["boss"].full,
    )


def personal_letter(d: Draw, f: Facts) -> str:
    """A letter to the employee with the result cost by cost."""
    refused = f["refused"]
    granted = [
        f"({chr(97 + i)}) {row} -- granted" for i, row in enumerate(_rows(f, "{sum} for {description} of {day}"))
    ]
    granted.append(
        f"({chr(97 + len(granted))}) {refused['sum']} for {refused['description']} of {refused['day']} -- "
        f"denied, {f['reason']}"
    )
    return lines(
        f["firm"],
        f"{f['employee']}, personal",
        f"Re: {f['report_number']}, {f['city']}",
        f"Dear {f['who'].given},",
        f"here is my decision on what you claimed on {f['filed']}:",
        *granted,
        _paid(f, "You receive the money on {}.") or "I will tell you the day of payment later.",
        closing(d),
        f["boss"].full,
    )


KIND = Kind(
    name="expenses",
    slice="hard",
    fields=(
        Field("employee", note="full name"),
        Field("report_number"),
        Field(
            "items",
            many=True,
            order_by="description",
            note="approved ones only",
            parts=(
                Field("date", "date"),
                Field("description"),
                Field("amount", "number"),
                Field("currency", "currency"),
            ),
        ),
        Field("payout_date", "date", nullable=True),
    ),
    facts=facts,
    layouts={
        "checked_form": checked_form,
        "answer_mail": answer_mail,
        "approval_chat": approval_chat,
        "sheet": sheet,
    },
    held_out={"auditor_note": auditor_note, "personal_letter": personal_letter},
)
