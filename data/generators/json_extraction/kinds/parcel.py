"""parcel (easy): when a parcel comes and to whom."""

from __future__ import annotations

from ..draw import Draw
from ..notation import notation
from ..people import people
from ..places import country, street
from ..spec import Facts, Field, Kind
from ..wording import labelled, lines, say

_CARRIERS = (
    "SwiftPost",
    "Parcelway",
    "BlueVan Express",
    "Northstar Couriers",
    "QuickLeaf",
    "Posthorn",
    "CityHop Delivery",
    "Meridian Freight",
    "RedKite Parcels",
    "Pelican Express",
    "TwoWheel Couriers",
    "Harbour Post",
)
_CODES = ("@@#########", "##@#####@", "@@@-####-####", "#### #### ####", "@#-#######")
_SHOPS = (
    "a pair of running shoes",
    "garden seeds",
    "a desk lamp",
    "two cookbooks",
    "a winter coat",
    "spare parts for a bicycle",
    "a coffee grinder",
    "school supplies",
    "a yoga mat",
    "a phone case",
    "a set of paint brushes",
    "loose-leaf tea",
    "a board game",
    "a wall clock",
    "dog food",
)


def facts(d: Draw) -> Facts:
    """Return a tracking number, a carrier, a recipient and a day of delivery."""
    land = country(d)
    who, neighbour = people(d, 2)
    day = d.day(0, 5)
    return {
        "tracking_number": d.code(d.pick(_CODES)),
        "carrier": d.pick(_CARRIERS),
        "recipient": who.full,
        "delivery_date": day.isoformat(),
        "who": who,
        "neighbour": neighbour,
        "day": day,
        "n": notation(d, land),
        "street": street(d, land),
        "city": d.pick(land.cities),
        "goods": d.pick(_SHOPS),
        "weight": f"{d.between(1, 14)}.{d.between(1, 9)} kg",
    }


def text_message(d: Draw, f: Facts) -> str:
    """A text message from the carrier."""
    day = f["n"].date(f["day"])
    return say(
        d.pick(
            (
                f"{f['carrier']}: Your parcel {f['tracking_number']} arrives on {day}.",
                f"Good news from {f['carrier']}! Parcel {f['tracking_number']} will be with you on {day}.",
                f"{f['carrier']} will deliver parcel no. {f['tracking_number']} on {day}.",
            )
        ),
        d.pick((f"Recipient: {f['recipient']}.", f"It is addressed to {f['recipient']}.")),
        d.maybe(
            f"Weight: {f['weight']}.",
            "Someone must be there to sign.",
            "You can still change the time slot.",
            f"We come to {f['street']}, {f['city']}.",
            share=0.85,
        ),
    )


def shop_mail(d: Draw, f: Facts) -> str:
    """A mail from a shop that the order has left."""
    day = f["n"].date(f["day"])
    thing = d.pick((f"your order ({f['goods']}) is on its way.", f"we have packed {f['goods']} for you."))
    how = d.pick(
        (
            f"It travels with {f['carrier']} under the number {f['tracking_number']} and should reach you on {day}.",
            f"{f['carrier']} brings it on {day}. Your tracking number: {f['tracking_number']}.",
        )
    )
    return lines(
        f"Dear {f['recipient']},",
        say(thing, how),
        d.pick(
            (
                "Have fun with it!",
                "Thank you for shopping with us.",
                "Your shop team",
                "Any questions? Just reply to this mail.",
            )
        ),
    )


def status_page(d: Draw, f: Facts) -> str:
    """The status page of the carrier, with labels."""
    rows = [
        (d.pick(("Tracking number", "Tracking no.", "Shipment")), f["tracking_number"]),
        (d.pick(("Carrier", "Delivered by", "Service")), f["carrier"]),
        (d.pick(("Recipient", "Deliver to", "Addressee")), f["recipient"]),
        (d.pick(("Delivery date", "Expected delivery", "Arrives")), f["n"].date(f["day"])),
    ]
    more = [
        ("Status", d.maybe("in transit", "out for delivery", "at the depot", "sorted", share=0.8)),
        ("Weight", d.maybe(f["weight"])),
        ("City", d.maybe(f["city"])),
    ]
    return lines(
        d.maybe("TRACK YOUR PARCEL", "Shipment details", "Parcel status", share=0.8),
        labelled(d.shuffled(rows)),
        labelled(more),
    )


def door_card(d: Draw, f: Facts) -> str:
    """A card in the letter box: the parcel was delivered elsewhere."""
    left = d.pick(
        (
            f"with your neighbour {f['neighbour'].full}",
            "in the porch, behind the plant pot",
            "in the shed",
            "at the reception desk",
            "in the parcel box next to the gate",
        )
    )
    return lines(
        d.pick(("SORRY WE MISSED YOU", "We called, but nobody was home", "Your parcel has arrived")),
        f"{d.pick(('To', 'For'))}: {f['recipient']}, {f['street']}",
        f"Parcel: {f['tracking_number']}",
        say(
            d.pick((f"Delivered on {f['n'].date(f['day'])}.", f"Date of delivery: {f['n'].date(f['day'])}.")),
            d.pick((f"We left it {left}.", f"You will find it {left}.")),
        ),
        d.pick((f"{f['carrier']} -- thank you", f"Your driver from {f['carrier']}", f"Carrier: {f['carrier']}")),
    )


def concierge_log(d: Draw, f: Facts) -> str:
    """A line in the log book of a concierge, with a line of the same day before it."""
    before = d.pick(
        (
            "window cleaner came, east side done",
            "lift engineer signed in and out",
            "fire door on level 2 checked",
            "lost umbrella handed in, kept at the desk",
            "newspapers sorted",
            "heating in the lobby reset",
        )
    )
    then = d.pick(("put on shelf B", "signed for at the desk", "collected at once", f["weight"]))
    return lines(
        f"Desk log, {f['n'].day(f['day'])}",
        f"{d.clock(7, 9, 5)} {before}",
        f"{d.clock(10, 16, 5)} {f['carrier']} delivered 1 parcel for {f['recipient']}, no. "
        f"{f['tracking_number']}, {then}",
    )


def help_chat(d: Draw, f: Facts) -> str:
    """A chat with the assistant of a carrier."""
    bot = f"{f['carrier']} assistant"
    return lines(
        f"{bot}: {d.pick(('Hello! What is your parcel number?', 'Hi, which parcel is it about?'))}",
        f"Customer: {f['tracking_number']}",
        f"{bot}: {d.pick(('Thank you. And the name on the label?', 'And who is it addressed to?'))}",
        f"Customer: {f['recipient']}",
        f"{bot}: {d.pick(('We deliver it on', 'It will arrive on', 'Planned delivery is'))} {f['n'].date(f['day'])}.",
        f"Customer: {d.pick(('fine, thanks', 'ok great', 'good, I will be home', 'thanks!'))}",
    )


KIND = Kind(
    name="parcel",
    slice="easy",
    fields=(
        Field("tracking_number"),
        Field("carrier"),
        Field("recipient", note="full name"),
        Field("delivery_date", "date"),
    ),
    facts=facts,
    layouts={
        "text_message": text_message,
        "shop_mail": shop_mail,
        "status_page": status_page,
        "door_card": door_card,
    },
    held_out={"concierge_log": concierge_log, "help_chat": help_chat},
)
