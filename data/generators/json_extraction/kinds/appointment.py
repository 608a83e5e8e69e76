"""appointment (easy): a reminder of an appointment."""

from __future__ import annotations

from ..draw import Draw
from ..notation import notation
from ..people import people
from ..places import country, phone, street
from ..spec import Facts, Field, Kind
from ..wording import an, closing, labelled, lines, say

# (what it is for, where it is, what to bring)
_VISITS = (
    ("dental check-up", "{} Dental Practice", "your insurance card"),
    ("eye test", "{} Opticians", "your old glasses"),
    ("haircut", "{} Hair Studio", "a photo of the style you like"),
    ("tyre change", "{} Garage", "the wheel lock key"),
    ("flu vaccination", "{} Medical Centre", "your vaccination booklet"),
    ("passport renewal", "{} Citizens' Office", "two photos and your old passport"),
    ("mortgage consultation", "{} Savings Bank", "your last three payslips"),
    ("cat vaccination", "{} Animal Clinic", "the pet passport"),
    ("physiotherapy session", "{} Physio Rooms", "a towel"),
    ("piano lesson", "{} Music School", "the blue exercise book"),
    ("driving lesson", "{} Driving School", "your learner's permit"),
    ("blood test", "{} Laboratory", "the request form"),
    ("suit fitting", "{} Tailors", "the shoes you will wear"),
    ("school interview", "{} Primary School", "the last school report"),
    ("bike service", "{} Cycle Workshop", "both keys of the lock"),
    ("hearing test", "{} Hearing Care", "your referral"),
)
_NAMES = (
    "Millbrook",
    "Old Bridge",
    "Lindenhof",
    "Riverside",
    "Parkgate",
    "St Anne",
    "Northfield",
    "Harbourside",
    "Chestnut",
    "Marienplatz",
    "Belvedere",
    "Kingsway",
    "Lotus",
    "Westend",
    "Hilltop",
    "Clocktower",
    "Garden City",
    "Stella",
    "Market Square",
    "Sunrise",
)


def facts(d: Draw) -> Facts:
    """Return a person with a purpose, a day, a time and a place."""
    land = country(d)
    who, sender = people(d, 2)
    purpose, place, bring = d.pick(_VISITS)
    place = place.format(d.pick(_NAMES))
    day, clock = d.day(0, 4), d.clock(8, 17)
    return {
        "person": who.full,
        "purpose": purpose,
        "date": day.isoformat(),
        "time": clock,
        "place": place,
        "who": who,
        "sender": sender,
        "bring": bring,
        "day": day,
        "n": notation(d, land),
        "phone": phone(d, land),
        "street": street(d, land),
        "city": d.pick(land.cities),
    }


def _when(f: Facts) -> tuple[str, str]:
    """Return the day and the time as the document writes them."""
    return f["n"].date(f["day"]), f["n"].time(f["time"])


def text_message(d: Draw, f: Facts) -> str:
    """A reminder by text message."""
    day, clock = _when(f)
    return say(
        d.pick(("REMINDER:", f"{f['place']}:", "Hello!", "Automatic reminder.")),
        d.pick(
            (
                f"{f['person']}, your {f['purpose']} is on {day} at {clock} at {f['place']}.",
                f"{f['person']} has an appointment ({f['purpose']}) at {f['place']} on {day}, {clock}.",
            )
        ),
        d.maybe(f"Please bring {f['bring']}.", "Please be there ten minutes early.", share=0.7),
        d.pick(
            (
                "Reply C to cancel.",
                f"Can't come? Call {f['phone']}.",
                f"Questions? {f['phone']}",
                "See you soon!",
            )
        ),
    )


def confirmation(d: Draw, f: Facts) -> str:
    """A confirmation with labels."""
    day, clock = _when(f)
    rows = [
        (d.pick(("Name", "Client", "For")), f["person"]),
        (d.pick(("Reason", "Service", "Type")), f["purpose"]),
        (d.pick(("Date", "Day")), day),
        ("Time", clock),
        (d.pick(("Place", "Location", "Where")), f["place"]),
    ]
    title = d.pick(("APPOINTMENT CONFIRMATION", "Your appointment is booked", "Booking confirmed"))
    tail = d.maybe(
        f"Address: {f['street']}, {f['city']}",
        f"Please bring {f['bring']}.",
        f"To change the appointment call {f['phone']}.",
        share=0.85,
    )
    return lines(title, labelled(rows if d.chance(0.5) else d.shuffled(rows)), tail)


def practice_mail(d: Draw, f: Facts) -> str:
    """A short mail from the place of the appointment."""
    day, clock = _when(f)
    who = f["who"]
    opening = d.pick(
        (
            f"this is to confirm your {f['purpose']} on {day} at {clock}.",
            f"we look forward to seeing you for your {f['purpose']} on {day}. Please come at {clock}.",
        )
    )
    extra = d.maybe(
        f"Please bring {f['bring']}.",
        f"You will find us at {f['street']}.",
        f"If you cannot come, please ring {f['phone']}.",
        share=0.8,
    )
    return lines(
        f"To: {f['person']}",
        f"Subject: Your {f['purpose']}",
        "\n",
        f"Dear {who.formal},",
        say(opening, extra),
        "\n",
        closing(d),
        f["sender"].given,
        f["place"],
    )


def calendar_entry(d: Draw, f: Facts) -> str:
    """An entry in a shared family or office calendar."""
    day, clock = _when(f)
    return lines(
        f"{d.pick(('Event', 'Title', 'Entry'))}: {f['purpose']}",
        f"When: {day}, {clock}",
        f"Where: {f['place']}{d.maybe(', ' + f['street'], share=0.4)}",
        f"Who: {f['person']}",
        d.maybe(
            f"Notes: take {f['bring']}",
            f"Added by {f['sender'].full}",
            "Alert: 1 day before",
            "Repeats: never",
            f"Notes: tel. {f['phone']}",
            share=0.9,
        ),
    )


def voicemail(d: Draw, f: Facts) -> str:
    """A message left on a voice mailbox, written out."""
    day, clock = _when(f)
    return say(
        d.pick(("[Voicemail, 0:21]", "[New voice message]", "Transcript:")),
        d.pick(
            (
                f"Good morning, this is {f['place']} with a message for {f['person']}.",
                f"Hello, a message for {f['person']}, it's {f['place']} calling.",
            )
        ),
        d.pick(
            (
                f"We have you down for {an(f['purpose'])} on {day} at {clock}.",
                f"The {f['purpose']} is all set, {day}, {clock}.",
            )
        ),
        d.pick((f"Don't forget {f['bring']}.", f"If that doesn't work, ring us on {f['phone']}.")),
        d.pick(("Bye now.", "Thank you, goodbye.", "See you then.")),
    )


def paper_slip(d: Draw, f: Facts) -> str:
    """A printed slip handed over at the desk."""
    day, clock = _when(f)
    return lines(
        f["place"],
        f"{f['street']}, {f['city']}",
        "-" * 20,
        f"Next visit of {f['person']}",
        d.pick((f"{day} -- {clock}", f"{clock} on {day}", f"{day}, {clock}")),
        f"for: {f['purpose']}",
        "-" * 20,
        d.pick((f"Changes: {f['phone']}", f"Bring {f['bring']}", "Missed visits may be charged.")),
    )


KIND = Kind(
    name="appointment",
    slice="easy",
    fields=(
        Field("person", note="full name"),
        Field("purpose"),
        Field("date", "date"),
        Field("time", "time"),
        Field("place", note="name of the place, no address"),
    ),
    facts=facts,
    layouts={
        "text_message": text_message,
        "confirmation": confirmation,
        "practice_mail": practice_mail,
        "calendar_entry": calendar_entry,
    },
    held_out={"voicemail": voicemail, "paper_slip": paper_slip},
)
