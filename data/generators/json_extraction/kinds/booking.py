"""booking (medium): a booked room."""

from __future__ import annotations

from datetime import timedelta

from ..draw import Draw
from ..notation import notation, number
from ..people import people
from ..places import country, phone, street
from ..spec import Facts, Field, Kind
from ..wording import an, closing, labelled, lines, say

_HOTELS = {
    "Germany": ("Hotel Seeblick", "Hotel Zur Linde", "Pension Waldruh", "Hotel am Speicher"),
    "United Kingdom": (
        "The Copper Kettle Inn",
        "The Old Customs House",
        "Harbour Lights Guesthouse",
        "Station Hotel",
    ),
    "United States": ("Summit Cabins", "The Wagon Wheel Motel", "Hotel Lafayette", "Bluebird Lodge"),
    "France": ("Hotel Belle Rive", "Auberge du Pont", "Hotel des Tilleuls", "La Petite Écluse"),
    "India": ("Lotus Garden Resort", "Banyan Court Hotel", "Lakeview Haveli", "Hotel Silver Sands"),
    "Japan": ("Ryokan Tsukimi", "Hotel Kawabe", "Sakura Terrace Hotel", "Minshuku Hamabe"),
    "Brazil": ("Pousada do Sol", "Hotel Beira-Mar", "Casa Jacarandá", "Hotel Central Palace"),
    "Poland": ("Hotel Polaris", "Willa Słoneczna", "Pensjonat Pod Lipami", "Hotel Stary Młyn"),
    "Sweden": ("Fjord View Hotel", "Hotell Skeppet", "Pensionat Strandgården", "Hotell Norrsken"),
    "Kenya": ("Baobab Lodge", "Savannah View Camp", "Hotel Jacaranda", "Lakeshore Guesthouse"),
    "Switzerland": ("Pension Edelweiss", "Hotel Bellevue", "Berghaus Gemsli", "Hotel Krone"),
    "Canada": ("Maple Leaf Suites", "Canal House", "Lighthouse Inn", "Hotel Northern Star"),
}
_ROOMS = (
    "single room",
    "double room",
    "twin room",
    "family suite",
    "studio with balcony",
    "junior suite",
    "double room with balcony",
    "quiet single room",
    "attic room",
    "garden bungalow",
)
_RATES = {
    "single room": 68,
    "quiet single room": 74,
    "attic room": 59,
    "double room": 98,
    "twin room": 92,
    "double room with balcony": 139,
    "studio with balcony": 115,
    "junior suite": 165,
    "family suite": 190,
    "garden bungalow": 128,
}
_WISHES = (
    "a room away from the lift",
    "a cot",
    "a late arrival after 22:00",
    "a parking space",
    "two extra pillows",
    "a vegan menu",
    "an early check-out",
    "a wheelchair-accessible bathroom",
    "a dog blanket",
)


def facts(d: Draw) -> Facts:
    """Return a stay; breakfast and price may be absent. Nights times rate is the price."""
    land = country(d)
    guest, clerk = people(d, 2)
    room, nights = d.pick(_ROOMS), d.between(1, 6)
    check_in = d.day()
    check_out = check_in + timedelta(days=nights)
    cents = nights * (_RATES[room] + d.between(-6, 9)) * land.scale * 100
    priced = d.chance(0.7)
    return {
        "guest": guest.full,
        "hotel": d.pick(_HOTELS[land.name]),
        "check_in": check_in.isoformat(),
        "check_out": check_out.isoformat(),
        "room_type": room,
        "breakfast": d.pick((True, False, None)),
        "price": {"amount": number(cents), "currency": land.currency} if priced else None,
        "n": (n := notation(d, land)),
        "in": n.date(check_in),
        "out": n.date(check_out),
        "days": (check_in, check_out),
        "cost": n.money(cents) if priced else "",
        "who": guest,
        "clerk": clerk,
        "wish": d.pick(_WISHES),
        "street": street(d, land),
        "city": d.pick(land.cities),
        "phone": phone(d, land),
        "nights": nights,
        "code": d.code(d.pick(("@@@###", "######", "@#-####"))),
    }


def _breakfast(d: Draw, f: Facts) -> str:
    """Return a sentence on breakfast, or nothing where it is not mentioned."""
    if f["breakfast"] is None:
        return ""
    return (
        d.pick(("Breakfast is included.", "The price includes breakfast.", "Breakfast included."))
        if f["breakfast"]
        else d.pick(("Breakfast is not included.", "Without breakfast.", "Breakfast costs extra."))
    )


def _stay(f: Facts) -> str:
    """Return the length of the stay."""
    return f"{f['nights']} night{'s' if f['nights'] > 1 else ''}"


def confirmation(d: Draw, f: Facts) -> str:
    """A confirmation by mail from the hotel."""
    opening = d.pick(
        (
            f"thank you for choosing {f['hotel']}. We have reserved {an(f['room_type'])} for you.",
            f"we are happy to confirm your {f['room_type']} at {f['hotel']}.",
        )
    )
    dates = d.pick(
        (
            f"You arrive on {f['in']} and leave on {f['out']}.",
            f"Your stay: from {f['in']} to {f['out']} ({_stay(f)}).",
        )
    )
    price = d.pick(("The price for the whole stay is {}.", "The total comes to {}.")).format(f["cost"])
    return lines(
        f"To: {f['guest']}",
        f"Dear {f['who'].formal},",
        say(opening, dates),
        say(price if f["cost"] else "", _breakfast(d, f)),
        d.maybe(
            f"We have noted your wish: {f['wish']}.",
            f"Booking code: {f['code']}.",
            f"You find us at {f['street']}, {f['city']}.",
            share=0.8,
        ),
        "\n",
        closing(d),
        f["clerk"].full,
        "Reception",
    )


def voucher(d: Draw, f: Facts) -> str:
    """A voucher with labels, as issued by a travel agency."""
    rows = [
        (d.pick(("Guest", "Guest name", "Traveller")), f["guest"]),
        ("Hotel", f["hotel"]),
        (d.pick(("Check-in", "Arrival")), f["in"]),
        (d.pick(("Check-out", "Departure")), f["out"]),
        (d.pick(("Room", "Room type")), f["room_type"]),
        (d.pick(("Price", "Paid", "Total price")), f["cost"]),
        ("Breakfast", {True: "included", False: "not included", None: ""}[f["breakfast"]]),
    ]
    more = [
        ("Voucher", f["code"]),
        ("City", d.maybe(f["city"])),
        ("Agent", d.maybe(f["clerk"].full)),
        ("Special wish", d.maybe(f["wish"])),
    ]
    return lines(
        d.pick(("HOTEL VOUCHER", "Travel voucher", "Accommodation voucher")),
        labelled(rows if d.chance(0.4) else d.shuffled(rows)),
        labelled(d.shuffled(more)),
    )


def itinerary(d: Draw, f: Facts) -> str:
    """A day-by-day itinerary."""
    arrive, leave = f["days"]
    return lines(
        f"ITINERARY for {f['guest']}",
        "\n",
        f"{f['n'].day(arrive)}",
        f"  {f['n'].time(d.clock(9, 15))} train to {f['city']}",
        f"  check in at {f['hotel']}, {f['street']}",
        f"  {f['room_type']}, {_stay(f)}",
        f"  {_breakfast(d, f)}" if f["breakfast"] is not None else "",
        f"  Price of the room for the stay: {f['cost']}" if f["cost"] else "",
        f"{f['n'].day(leave)}",
        f"  check out, {d.pick(('then the train home', 'taxi to the airport', 'bus home'))}",
        d.maybe(f"Emergency contact: {f['clerk'].full}, {f['phone']}", f"Requested: {f['wish']}", share=0.7),
    )


def desk_note(d: Draw, f: Facts) -> str:
    """A note by the reception after a call."""
    return lines(
        f"{f['hotel']} -- phone booking taken by {f['clerk'].full}",
        say(
            d.pick((f"{f['guest']} wants {an(f['room_type'])}.", f"One {f['room_type']} for {f['guest']}.")),
            d.pick((f"Coming {f['in']}, going {f['out']}.", f"{f['in']} until {f['out']}, so {_stay(f)}.")),
        ),
        say(f"I quoted {f['cost']} altogether." if f["cost"] else "", _breakfast(d, f)),
        d.maybe(f"Asked for {f['wish']}.", f"Will ring again on {f['phone']}.", "Pays on arrival.", share=0.85),
    )


def friends_chat(d: Draw, f: Facts) -> str:
    """A chat in which the guest tells a friend."""
    me, friend = f["guest"], f["clerk"].given
    return lines(
        f"{friend}: {d.pick(('where are you staying?', 'so where will you sleep?', 'which hotel is it?'))}",
        f"{me}: {f['hotel']}, I got {an(f['room_type'])}",
        f"{friend}: {d.pick(('when exactly?', 'which days?', 'nice, from when?'))}",
        f"{me}: checking in {f['in']} and checking out {f['out']}",
        f"{friend}: {d.pick(('expensive?', 'how much is it?', 'good price?'))}" if f["cost"] else "",
        f"{me}: {f['cost']} for everything" if f["cost"] else "",
        f"{me}: {'breakfast is included' if f['breakfast'] else 'breakfast is not included'}"
        if f["breakfast"] is not None
        else "",
        f"{friend}: {d.pick(('have fun!', 'send photos', 'I am jealous', 'bring me something back'))}",
    )


def notification(d: Draw, f: Facts) -> str:
    """A terse message from a booking platform to the hotel."""
    board = {True: "breakfast included", False: "breakfast not included", None: ""}[f["breakfast"]]
    parts = [
        f"guest={f['guest']}",
        f"room={f['room_type']}",
        f"arrival={f['in']}",
        f"departure={f['out']}",
        f"total={f['cost']}" if f["cost"] else "",
        f"board={board}" if board else "",
        f"remark={f['wish']}" if d.chance(0.5) else "",
    ]
    return lines(
        f"NEW RESERVATION {f['code']} >> {f['hotel']}",
        *[f"[{part}]" for part in parts if part],
        d.pick(("Confirm within 24 hours.", "Do not reply to this message.", "Channel: web")),
    )


KIND = Kind(
    name="booking",
    slice="medium",
    fields=(
        Field("guest", note="full name"),
        Field("hotel"),
        Field("check_in", "date"),
        Field("check_out", "date"),
        Field("room_type"),
        Field("breakfast", "boolean", "whether included", nullable=True),
        Field(
            "price",
            nullable=True,
            note="whole stay",
            parts=(Field("amount", "number"), Field("currency", "currency")),
        ),
    ),
    facts=facts,
    layouts={
        "confirmation": confirmation,
        "voucher": voucher,
        "itinerary": itinerary,
        "desk_note": desk_note,
    },
    held_out={"friends_chat": friends_chat, "notification": notification},
)
