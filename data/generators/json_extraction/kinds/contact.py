"""contact (easy): who somebody is and how to reach them."""

from __future__ import annotations

from ..draw import Draw
from ..people import Person, people
from ..places import company, country, domain, phone
from ..spec import Facts, Field, Kind
from ..wording import closing, greeting, labelled, lines, say

_ROLES = (
    "sales manager",
    "purchasing",
    "office manager",
    "head of events",
    "accounts",
    "site engineer",
    "customer care",
    "project lead",
    "warehouse manager",
    "press officer",
    "training coordinator",
)
_TOPICS = (
    "a quote for 40 branded notebooks",
    "the lift inspection next month",
    "the upstairs room for rent",
    "a broken seal on the last delivery",
    "the apprenticeship in the paper",
    "repairs to the loading ramp",
    "tickets for the trade fair",
    "bulk prices for printer paper",
    "a tasting for twelve people",
    "the translation of a brochure",
    "second-hand shelving",
    "a school visit to the workshop",
    "parking permits for two vans",
    "a replacement for the coffee machine",
    "the noise from the roof fan",
    "painting three meeting rooms",
    "a cleaning contract for two floors",
    "the exhibition stand",
    "a missing delivery note",
    "solar panels for the storage hall",
    "a wedding party in June",
    "the annual fire drill",
    "new name tags for the staff",
    "a leaking pipe in the basement",
)


def facts(d: Draw) -> Facts:
    """Return one person with a company, an address and a number."""
    land = country(d)
    who, other, third = people(d, 3)
    firm = company(d, land)
    return {
        "name": who.full,
        "company": firm,
        "email": who.email(domain(firm), d.chance(0.4)),
        "phone": phone(d, land),
        "who": who,
        "other": other,
        "third": third,
        "topic": d.pick(_TOPICS),
        "role": d.pick(_ROLES),
    }


def card(d: Draw, f: Facts) -> str:
    """A labelled contact card."""
    first = [
        (d.pick(("Name", "Contact", "Contact person", "Full name")), f["name"]),
        (d.pick(("Company", "Employer", "Business", "Organisation")), f["company"]),
        ("Role", d.maybe(f["role"])),
    ]
    reach = [
        (d.pick(("Email", "E-mail", "Mail")), f["email"]),
        (d.pick(("Phone", "Tel", "Telephone", "Mobile")), f["phone"]),
    ]
    heading = d.maybe("CONTACT DETAILS", "Visitor card", "New supplier contact", "Address book entry", share=0.7)
    note = d.maybe(
        f"Note: asked about {f['topic']}.",
        "Note: prefers to be called before noon.",
        f"Note: first met through {f['other'].full}.",
        "Note: speaks English and French.",
        share=0.7,
    )
    return lines(heading, labelled(first), labelled(d.shuffled(reach)), note)


def signature(d: Draw, f: Facts) -> str:
    """A short mail that ends with a signature block."""
    body = d.pick(
        (
            f"I am writing about {f['topic']}. Could you tell me who looks after this?",
            f"We spoke briefly about {f['topic']}. Is there any news yet?",
            f"Could you send me some information about {f['topic']}? There is no hurry.",
            f"Following our talk on the phone, I would like to go ahead with {f['topic']}.",
        )
    )
    sign = lines(
        f["name"],
        d.maybe(f["role"].capitalize()),
        f["company"],
        *d.shuffled((f["email"], f"{d.pick(('Tel', 'Phone', 'T'))}: {f['phone']}")),
    )
    return lines(greeting(d), "\n", body, "\n", closing(d), sign)


def web_form(d: Draw, f: Facts) -> str:
    """A message sent through the contact form of a web site."""
    shown = labelled(
        (
            ("Your name", f["name"]),
            ("Your company", f["company"]),
            ("Your email", f["email"]),
            ("Your phone", f["phone"]),
        )
    )
    message = d.pick(
        (
            "I would like to ask about {}.",
            "Please call me back about {}.",
            "Who can help with {}?",
            "This is about {}. Thank you for a quick answer.",
        )
    )
    title = d.pick(("New message from the contact form", "Web enquiry received", "Contact form: 1 new entry"))
    return lines(title, shown, f"{d.pick(('Message', 'Your message', 'Subject'))}: {message.format(f['topic'])}")


def phone_note(d: Draw, f: Facts) -> str:
    """A note about a missed call, taken by a colleague."""
    who: Person = f["who"]
    called = d.pick(
        (
            f"{f['name']} from {f['company']} called about {f['topic']}.",
            f"There was a call for you from {f['name']} of {f['company']}. It is about {f['topic']}.",
        )
    )
    back = d.pick(
        (
            f"Please call back on {f['phone']} or write to {f['email']}.",
            f"{who.formal} can be reached on {f['phone']}, or by mail at {f['email']}.",
            f"The number is {f['phone']}. The email address is {f['email']}.",
        )
    )
    extra = d.maybe(
        "It is not urgent.",
        "Best before four o'clock.",
        "Please do it today.",
        "I said you would be back tomorrow.",
    )
    return say(
        d.pick(("While you were out:", f"Hi {f['other'].given},", "Phone note.", "Missed call!")),
        called,
        back,
        extra,
    )


def directory(d: Draw, f: Facts) -> str:
    """One row of a supplier directory, with a header row."""
    mark = d.pick((" | ", "; ", " / "))
    columns = [
        ("Company", f["company"]),
        ("Person", f["name"]),
        ("Department", f["role"]),
        ("Phone", f["phone"]),
        ("Email", f["email"]),
    ]
    columns = d.shuffled(columns) if d.chance(0.6) else columns
    title = d.pick(("Supplier directory, extract", "Exhibitor list, one entry found", "Member register"))
    return lines(title, mark.join(label for label, _ in columns), mark.join(value for _, value in columns))


def team_chat(d: Draw, f: Facts) -> str:
    """A chat in which one colleague gives another the contact."""
    asks, answers = f["other"].given, f["third"].given
    return lines(
        f"{asks}: {d.pick(('who do we talk to at', 'do you have a contact at', 'who is our person at'))} "
        f"{f['company']}? It's about {f['topic']}",
        f"{answers}: that's {f['name']}",
        f"{answers}: phone {f['phone']}",
        f"{answers}: mail {f['email']}",
        f"{asks}: {d.pick(('perfect, thanks', 'great, thank you!', 'thanks, calling now', 'got it'))}",
    )


KIND = Kind(
    name="contact",
    slice="easy",
    fields=(Field("name", note="without title"), Field("company"), Field("email"), Field("phone")),
    facts=facts,
    layouts={"card": card, "signature": signature, "web_form": web_form, "phone_note": phone_note},
    held_out={"directory": directory, "team_chat": team_chat},
)
