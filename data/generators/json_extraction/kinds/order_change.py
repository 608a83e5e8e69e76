"""order_change (hard): an order that was changed; what holds in the end has to be put together."""

from __future__ import annotations

from datetime import timedelta

from ..draw import Draw
from ..goods import goods
from ..notation import notation, older
from ..people import people
from ..places import company, country, domain, street, supplier
from ..spec import Facts, Field, Kind
from ..wording import closing, lines, say

_CODES = ("PO-#####", "4500####", "B-####/2", "ORD####@", "WEB-@@####", "#####-##")


def facts(d: Draw) -> Facts:
    """Return an order as first placed, the changes, and what results from them."""
    land = country(d)
    buyer, clerk, other = people(d, 3)
    names = [name for name, _ in goods(d, d.between(4, 5))]
    counts = {name: d.between(2, 30) for name in names}
    changed, dropped, added = names[0], names[1], names[-1]
    new_count = counts[changed] + d.between(1, 9)
    final = {**{name: counts[name] for name in names[:-1]}, changed: new_count}
    del final[dropped]
    final[added] = counts[added]
    placed = d.day(0, 4)
    old_day, new_day = placed + timedelta(days=14), d.day(0, 4, placed + timedelta(days=14))
    moves, relocates = d.chance(0.7), d.chance(0.5)
    n, cities = notation(d, land), d.sample(land.cities, 2)
    quoted = older(d, n) if d.chance(0.6) else n
    addresses = [{"street": street(d, land), "city": city} for city in cities]
    return {
        "order_number": d.code(d.pick(_CODES)),
        "ordered_by": buyer.full,
        "items": [{"name": name, "quantity": count} for name, count in final.items()],
        "delivery_date": (new_day if moves else old_day).isoformat(),
        "ship_to": addresses[1 if relocates else 0],
        "first": d.shuffled([(name, counts[name]) for name in names[:-1]]),
        "changed": changed,
        "was": counts[changed],
        "now": new_count,
        "dropped": dropped,
        "dropped_count": counts[dropped],
        "added": added,
        "added_count": counts[added],
        "placed": quoted.date(placed),
        "changed_on": n.date(placed + timedelta(days=d.between(1, 5))),
        "old_day": quoted.date(old_day),
        "new_day": n.date(new_day) if moves else "",
        "old": _address(addresses[0]),
        "new": _address(addresses[1]) if relocates else "",
        "buyer": buyer,
        "clerk": clerk,
        "other": other,
        "firm": company(d, land),
        "vendor": supplier(d, land),
        "n": n,
    }


def _address(place: dict[str, str]) -> str:
    """Return street and city on one line."""
    return f"{place['street']}, {place['city']}"


def _first(d: Draw, f: Facts, mark: str = "") -> str:
    """Return the items as first ordered, one a line."""
    pattern = d.pick(("{count} x {name}", "{name}: {count}", "{name} ({count})", "{count} pcs {name}"))
    return "\n".join(mark + pattern.format(name=name, count=count) for name, count in f["first"])


def mail_thread(d: Draw, f: Facts) -> str:
    """A mail with the changes above the quoted first order."""
    moved = f"Please deliver on {f['new_day']} instead." if f["new_day"] else ""
    sent = f"And send it to our other address, please: {f['new']}." if f["new"] else ""
    ask = d.pick(
        (
            f"we need {f['now']} of the {f['changed']} instead of {f['was']}. Please leave out "
            f"the {f['dropped']} "
            f"altogether and add {f['added_count']} x {f['added']}.",
            f"two changes to the list below: {f['changed']} goes up to {f['now']}, "
            f"{f['dropped']} is cancelled. "
            f"New on the list: {f['added_count']} x {f['added']}.",
        )
    )
    return lines(
        f"From: {f['buyer'].email(domain(f['firm']))}",
        f"Subject: RE: order {f['order_number']}",
        f"Hello {f['clerk'].given},",
        ask,
        moved,
        sent,
        "Everything else stays as ordered.",
        closing(d),
        f["ordered_by"],
        "\n",
        f"> On {f['placed']} {f['ordered_by']} wrote:",
        f"> Dear {f['clerk'].formal}, we order:",
        _first(d, f, "> "),
        f"> Delivery on {f['old_day']} to {f['old']}.",
    )


def call_note(d: Draw, f: Facts) -> str:
    """A sales note: the order in the system, then what was agreed on the phone."""
    agreed = [
        f"{f['changed']}: {f['now']} (no longer {f['was']})",
        f"{f['dropped']}: cancelled",
        f"{f['added']}: {f['added_count']}, new",
    ]
    return lines(
        f"Order {f['order_number']} of {f['placed']}, {f['firm']}, ordered by {f['ordered_by']}",
        d.pick(("In the system:", "As entered:", "Original order:")),
        _first(d, f, "- "),
        f"- ship to {f['old']}",
        f"- delivery {f['old_day']}",
        f"{f['changed_on']}, call with {f['buyer'].formal}. {d.pick(('Agreed changes:', 'Changes, now binding:'))}",
        *[f"* {line}" for line in d.shuffled(agreed)],
        f"* delivery moved to {f['new_day']}" if f["new_day"] else "",
        f"* new ship-to: {f['new']}" if f["new"] else "",
        f"{d.pick(('Rest unchanged.', 'All other lines as before.'))} {f['clerk'].full}",
    )


def customer_chat(d: Draw, f: Facts) -> str:
    """A chat between the shop and the customer."""
    shop, me = f"{f['clerk'].given} ({f['vendor']})", f["ordered_by"]
    listed = ", ".join(f"{count} x {name}" for name, count in f["first"])
    return lines(
        f"{me}: hi, I placed order {f['order_number']} on {f['placed']}, can I still change it?",
        f"{shop}: Sure. I have here {listed}, to {f['old']}, delivery {f['old_day']}.",
        f"{me}: {d.pick(('ok so', 'right,', 'yes.'))} {f['now']} x {f['changed']} please, "
        f"{f['was']} is not enough. "
        f"and I don't need the {f['dropped']} any more",
        f"{shop}: Done. Anything to add?",
        f"{me}: {f['added_count']} x {f['added']}",
        f"{me}: oh and deliver to {f['new']}" if f["new"] else "",
        f"{shop}: {f['old_day']} is full now, the next free day is {f['new_day']}. All right?" if f["new_day"] else "",
        f"{me}: fine, take that day" if f["new_day"] else "",
        f"{shop}: Changed as you said, the rest stays. {d.pick(('Have a nice day!', 'Anything else?'))}",
    )


def corrected_form(d: Draw, f: Facts) -> str:
    """An order form with struck-out values in Markdown."""
    rows = []
    for name, count in f["first"]:
        if name == f["changed"]:
            rows.append(f"{name}: ~~{count}~~ {f['now']}")
        else:
            rows.append(f"~~{name}: {count}~~" if name == f["dropped"] else f"{name}: {count}")
    rows.append(f"{f['added']}: {f['added_count']} (added by hand)")
    day = f"~~{f['old_day']}~~ {f['new_day']}" if f["new_day"] else f["old_day"]
    place = f"~~{f['old']}~~ {f['new']}" if f["new"] else f["old"]
    return lines(
        f"ORDER FORM {f['order_number']}",
        d.maybe("(struck-out text no longer holds)", share=0.8),
        f"Supplier: {f['vendor']}, attn. {f['clerk'].full}",
        f"Customer: {f['firm']}",
        f"Ordered by: {f['ordered_by']} on {f['placed']}",
        *rows,
        f"Deliver on: {day}",
        f"Deliver to: {place}",
        f"Corrected {f['changed_on']}, initials {f['buyer'].given[0]}{f['buyer'].surname[0]}",
    )


def audit_trail(d: Draw, f: Facts) -> str:
    """The revisions of an order; a last proposal was rejected and does not count."""
    listed = ", ".join(f"{name}={count}" for name, count in f["first"])
    return lines(
        f"order {f['order_number']} / history / {f['firm']}",
        f"rev 1 {f['placed']} created by {f['ordered_by']}: {listed}; deliver {f['old_day']}; to {f['old']}",
        f"rev 2 {f['changed_on']} accepted: {f['changed']} {f['was']} -> {f['now']}; {f['dropped']} "
        f"{f['dropped_count']} -> 0 (removed)",
        f"rev 3 {f['changed_on']} accepted: added {f['added']}={f['added_count']}"
        + (f"; deliver -> {f['new_day']}" if f["new_day"] else "")
        + (f"; to -> {f['new']}" if f["new"] else ""),
        f"rev 4 {f['changed_on']} REJECTED, no effect: {f['changed']} -> {f['now'] + d.between(3, 20)} "
        f"(asked by {f['other'].full})",
        f"state: {d.pick(('released', 'ready to ship', 'confirmed'))}, clerk {f['clerk'].full}",
    )


def letter(d: Draw, f: Facts) -> str:
    """A formal letter confirming the changes in full sentences."""
    listed = "; ".join(f"{count} x {name}" for name, count in f["first"])
    return lines(
        f"{f['vendor']}",
        f"To {f['firm']}, attention of {f['ordered_by']}",
        f"{f['changed_on']}",
        f"Your order {f['order_number']}",
        f"Dear {f['buyer'].formal},",
        say(
            f"On {f['placed']} you ordered from us: {listed}.",
            f"At your request of today the quantity of {f['changed']} rises from {f['was']} to "
            f"{f['now']}, and the "
            f"{f['dropped']} is taken off the order. In its place we add {f['added_count']} x {f['added']}.",
        ),
        f"The delivery planned for {f['old_day']} will now take place on {f['new_day']}."
        if f["new_day"]
        else f"The delivery date of {f['old_day']} does not change.",
        f"We no longer ship to {f['old']} but to {f['new']}." if f["new"] else f"We ship to {f['old']} as agreed.",
        closing(d),
        f["clerk"].full,
    )


KIND = Kind(
    name="order_change",
    slice="hard",
    fields=(
        Field("order_number"),
        Field("ordered_by", note="full name"),
        Field(
            "items",
            many=True,
            order_by="name",
            note="after all changes",
            parts=(Field("name"), Field("quantity", "integer")),
        ),
        Field("delivery_date", "date", "latest agreed"),
        Field("ship_to", note="latest agreed", parts=(Field("street"), Field("city"))),
    ),
    facts=facts,
    layouts={
        "mail_thread": mail_thread,
        "call_note": call_note,
        "customer_chat": customer_chat,
        "corrected_form": corrected_form,
    },
    held_out={"audit_trail": audit_trail, "letter": letter},
)
