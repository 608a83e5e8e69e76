"""lost_item (easy): a thing that was found, where and when."""

from __future__ import annotations

from ..draw import Draw
from ..notation import notation
from ..people import people
from ..places import country, phone
from ..spec import Facts, Field, Kind
from ..wording import an, greeting, labelled, lines, say

_ITEMS = (
    "umbrella",
    "backpack",
    "wallet",
    "scarf",
    "water bottle",
    "bicycle helmet",
    "handbag",
    "laptop sleeve",
    "pair of gloves",
    "lunch box",
    "camera case",
    "wool hat",
    "rain jacket",
    "suitcase",
    "pencil case",
    "phone case",
    "pram blanket",
    "violin case",
    "toy rabbit",
    "sports bag",
    "glasses case",
    "notebook",
)
_COLOURS = (
    "black",
    "dark green",
    "navy blue",
    "red",
    "light grey",
    "yellow",
    "brown",
    "white",
    "purple",
    "orange",
    "turquoise",
    "beige",
    "silver",
    "pink",
    "maroon",
    "olive",
)
_PLACES = (
    "bus stop Opera",
    "platform 3",
    "Northside Pool",
    "Central Library",
    "gym hall B",
    "tram stop Docks",
    "Café Miro",
    "reading room 2",
    "ferry pier 2",
    "lecture hall 7",
    "Odeon Cinema",
    "car park level 1",
    "Hilltop Playground",
    "meeting room Ash",
    "gate 14",
    "Greenway Skate Park",
    "changing room C",
    "terminal 1",
    "Rose Garden Café",
    "canteen 4",
    "ticket counter 6",
    "Kings Theatre",
)
_PREFIXES = ("LF-#####", "F##-####", "LP/####", "@@-###", "####-@", "FND#####")


def facts(d: Draw) -> Facts:
    """Return a found thing with colour, place, day and reference."""
    land = country(d)
    finder, clerk = people(d, 2)
    day = d.day()
    return {
        "item": d.pick(_ITEMS),
        "colour": d.pick(_COLOURS),
        "place": d.pick(_PLACES),
        "found_on": day.isoformat(),
        "reference": d.code(d.pick(_PREFIXES)),
        "finder": finder,
        "clerk": clerk,
        "day": day,
        "n": notation(d, land),
        "phone": phone(d, land),
    }


def register_form(d: Draw, f: Facts) -> str:
    """The form of a lost property office."""
    rows = [
        ("Item", f["item"]),
        (d.pick(("Colour", "Main colour")), f["colour"]),
        (d.pick(("Found at", "Place", "Where found")), f["place"]),
        (d.pick(("Found on", "Date", "Date found")), f["n"].date(f["day"])),
        (d.pick(("Reference", "Ref", "Our reference")), f["reference"]),
    ]
    more = [("Handed in by", d.maybe(f["finder"].full, share=0.7)), ("Taken by", f["clerk"].full)]
    title = d.pick(("LOST PROPERTY FORM", "Found item record", "Lost and found office"))
    return lines(title, labelled(d.shuffled(rows) if d.chance(0.4) else rows), labelled(more))


def poster(d: Draw, f: Facts) -> str:
    """A poster on a notice board."""
    return lines(
        d.pick(("FOUND!", "IS THIS YOURS?", "Somebody is missing this...")),
        d.pick(
            (
                f"We found {an(f['colour'])} {f['item']} at {f['place']} on {f['n'].date(f['day'])}.",
                f"On {f['n'].date(f['day'])}, {an(f['colour'])} {f['item']} was left at {f['place']}.",
            )
        ),
        d.pick((f"To get it back, quote reference {f['reference']}.", f"Ask for reference {f['reference']}.")),
        d.pick(
            (
                f"Call {f['finder'].full}: {f['phone']}",
                f"Contact: {f['clerk'].full}, front desk",
                f"{f['finder'].full} is keeping it safe.",
            )
        ),
    )


def office_mail(d: Draw, f: Facts) -> str:
    """A mail to the person who had asked."""
    owner = f["finder"]
    found = d.pick(
        (
            f"we think we have found your {f['item']}. The colour is {f['colour']}.",
            f"{an(f['item'])} like yours has come in. It is {f['colour']}.",
        )
    )
    where = d.pick(
        (
            f"It was handed in at {f['place']} on {f['n'].date(f['day'])}.",
            f"Somebody found it on {f['n'].date(f['day'])} at {f['place']}.",
        )
    )
    return lines(
        greeting(d, owner.formal),
        say(found, where),
        f"Your reference is {f['reference']}.",
        d.maybe(
            "Please bring an identity card when you collect it.",
            "We keep things for 90 days.",
            f"Our number is {f['phone']}.",
            share=0.8,
        ),
        f["clerk"].full,
        "Lost property office",
    )


def desk_note(d: Draw, f: Facts) -> str:
    """A handwritten note for the next shift."""
    return say(
        d.pick((f"Note for {f['clerk'].given}:", "For the late shift:", "Handover note:")),
        d.pick(
            (
                f"one {f['item']}, {f['colour']}, found at {f['place']} on {f['n'].date(f['day'])}.",
                f"{f['finder'].full} brought in one {f['item']} ({f['colour']}). It was found on "
                f"{f['n'].date(f['day'])} at {f['place']}.",
            )
        ),
        d.pick((f"It has the tag {f['reference']} now.", f"I gave it reference {f['reference']}.")),
        d.maybe(
            "Nobody has asked yet.",
            "It is in the second drawer.",
            "Please put it in the system.",
            "No name inside.",
            share=0.8,
        ),
    )


def register_row(d: Draw, f: Facts) -> str:
    """Rows of a register; the header names the columns, and only the new row is filled in."""
    mark = d.pick((" | ", ";", " , "))
    columns = [
        ("ref", f["reference"]),
        ("found on", f["n"].date(f["day"]).replace(",", "")),
        ("item", f["item"]),
        ("colour", f["colour"]),
        ("place", f["place"]),
        ("clerk", f["clerk"].full),
    ]
    return lines(
        d.pick(("Register of found items, newest entry", "Lost property register, 1 row")),
        mark.join(name for name, _ in columns),
        mark.join(value for _, value in columns),
    )


def public_post(d: Draw, f: Facts) -> str:
    """A post in a neighbourhood group."""
    return lines(
        f"{f['finder'].full} posted in {d.pick(('Neighbours', 'Lost & Found Town', 'Our Quarter'))}:",
        d.pick(
            (
                f"Who lost {an(f['item'])}? It's {f['colour']} and I picked it up at {f['place']} on "
                f"{f['n'].date(f['day'])}.",
                f"Picked up {an(f['item'])} at {f['place']} on {f['n'].date(f['day'])}! Colour: {f['colour']}.",
            )
        ),
        d.pick(
            (
                f"I took it to the lost property office, they filed it under {f['reference']}.",
                f"It's with the police now, reference {f['reference']}.",
            )
        ),
        d.pick(("Please share!", "Hope it finds its way home :)", "3 comments, 12 likes", "#lostandfound")),
    )


KIND = Kind(
    name="lost_item",
    slice="easy",
    fields=(
        Field("item", note="without colour"),
        Field("colour"),
        Field("place", note="where it was found"),
        Field("found_on", "date"),
        Field("reference"),
    ),
    facts=facts,
    layouts={
        "register_form": register_form,
        "poster": poster,
        "office_mail": office_mail,
        "desk_note": desk_note,
    },
    held_out={"register_row": register_row, "public_post": public_post},
)
