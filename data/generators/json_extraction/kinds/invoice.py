"""invoice (medium): who owes whom how much, and until when."""

from __future__ import annotations

from datetime import timedelta

from ..draw import Draw
from ..goods import goods
from ..notation import amount, notation, number
from ..people import people
from ..places import company, country, domain, street, supplier
from ..spec import Facts, Field, Kind
from ..wording import closing, greeting, labelled, lines, say

_TAX = {
    "Germany": 190,
    "United Kingdom": 200,
    "United States": 60,
    "France": 200,
    "India": 180,
    "Japan": 100,
    "Brazil": 120,
    "Poland": 230,
    "Sweden": 250,
    "Kenya": 160,
    "Switzerland": 81,
    "Canada": 50,
}
_NUMBERS = ("INV-#####", "####/##", "R-2#-####", "F#######", "@@#####", "#####-@", "SI-####-##")


def _rows(d: Draw, scale: int) -> list[tuple[str, int, int]]:
    """Return goods with their quantity and unit price in hundredths."""
    rows = []
    for name, price in goods(d, d.between(1, 3)):
        cents = 0 if scale > 50 or d.chance(0.4) else d.pick((50, 90, 40))
        rows.append((name, d.between(1, 24), price * scale * 100 + cents))
    return rows


def facts(d: Draw) -> Facts:
    """Return an invoice whose rows and tax add up to its total."""
    land = country(d)
    vendor, customer = supplier(d, land), company(d, land)
    clerk, buyer = people(d, 2)
    rows = _rows(d, land.scale)
    net = sum(quantity * price for _, quantity, price in rows)
    step = 100 if land.currency == "JPY" else 1
    tax = (net * _TAX[land.name] + 500 * step) // (1000 * step) * step
    issued = d.day(0, 4)
    days = d.pick((7, 10, 14, 21, 30, 45))
    due = issued + timedelta(days=days) if d.chance(0.55) else None
    city, own_city = d.sample(land.cities, 2)
    return {
        "invoice_number": d.code(d.pick(_NUMBERS)),
        "vendor": vendor,
        "customer": {"name": customer, "city": city},
        "issue_date": issued.isoformat(),
        "due_date": due.isoformat() if due else None,
        "total": number(net + tax),
        "currency": land.currency,
        "issued": issued,
        "due": due,
        "rows": rows,
        "net": net,
        "tax": tax,
        "sum": net + tax,
        "rate": f"{_TAX[land.name] / 10:g} %",
        "n": notation(d, land),
        "street": street(d, land),
        "own_city": own_city,
        "clerk": clerk,
        "buyer": buyer,
        "mail": f"billing@{domain(vendor)}",
        "discount": amount(d, land, 5, 20),
    }


def _due(f: Facts, pattern: str) -> str:
    """Return the pattern with the due date, or an empty text where the invoice has none."""
    return pattern.format(f["n"].date(f["due"])) if f["due"] else ""


def _goods(f: Facts, pattern: str) -> str:
    """Return one line for each row of the invoice."""
    money = f["n"].money
    return "\n".join(
        pattern.format(name=name, n=quantity, unit=money(price), sum=money(quantity * price))
        for name, quantity, price in f["rows"]
    )


def classic(d: Draw, f: Facts) -> str:
    """An invoice with a head, rows and a total."""
    money = f["n"].money
    head = [
        (d.pick(("Invoice no.", "Invoice number", "No.")), f["invoice_number"]),
        (d.pick(("Date", "Invoice date", "Issued")), f["n"].date(f["issued"])),
        ("Payable by", _due(f, "{}")),
    ]
    return lines(
        f["vendor"],
        f"{f['own_city']}",
        "INVOICE" if d.chance(0.5) else "",
        f"{d.pick(('Bill to', 'Invoice to', 'Customer'))}: {f['customer']['name']}, {f['street']}, "
        f"{f['customer']['city']}",
        labelled(head),
        _goods(f, "{n} x {name} at {unit} = {sum}"),
        f"Net {money(f['net'])}",
        f"Tax {f['rate']} {money(f['tax'])}",
        f"{d.pick(('TOTAL', 'Total due', 'Amount payable'))} {money(f['sum'])}",
    )


def mail_body(d: Draw, f: Facts) -> str:
    """A mail that is itself the invoice."""
    money = f["n"].money
    what = ", ".join(f"{quantity} x {name}" for name, quantity, _ in f["rows"])
    opening = d.pick(
        (
            f"please find below our invoice {f['invoice_number']} of {f['n'].date(f['issued'])}.",
            f"this is invoice {f['invoice_number']}, issued on {f['n'].date(f['issued'])}.",
        )
    )
    asked = d.pick(
        (
            f"The net amount is {money(f['net'])}; with {f['rate']} tax you pay {money(f['sum'])} in all.",
            f"In total we charge {money(f['sum'])}, of which {money(f['tax'])} is tax.",
        )
    )
    return lines(
        f"From: {f['clerk'].full} <{f['mail']}>",
        f"To: {f['buyer'].full}",
        "\n",
        f"Dear {f['buyer'].formal},",
        say(opening, f"It covers {what}, delivered to {f['customer']['name']} in {f['customer']['city']}."),
        say(
            asked,
            _due(
                f,
                d.pick(
                    (
                        "Please pay by {}.",
                        "The money should reach us by {} at the latest.",
                        "Payment is due on {}.",
                    )
                ),
            ),
        ),
        "\n",
        closing(d),
        f["clerk"].full,
        f["vendor"],
    )


def till_slip(d: Draw, f: Facts) -> str:
    """A narrow slip printed at a trade counter."""
    money = f["n"].money
    return lines(
        f["vendor"],
        f"{f['own_city']} trade counter",
        "=" * 16,
        f"{f['n'].date(f['issued'])}  {f['n'].time(d.clock(8, 17, 5))}",
        f"DOC {f['invoice_number']}",
        _goods(f, "{name}\n  {n} * {unit}"),
        "=" * 16,
        f"SUBTOTAL {money(f['net'])}",
        f"INCL. TAX {f['rate']} {money(f['sum'])}",
        d.pick(("ON ACCOUNT", "CHARGED TO ACCOUNT", "ACCOUNT SALE")),
        f"{f['customer']['name']}",
        f"{f['customer']['city']}",
        _due(f, "PAY BY {}"),
        d.maybe("Thank you!", f"Served by {f['clerk'].given}", "Keep this slip for your records", share=0.8),
    )


def table(d: Draw, f: Facts) -> str:
    """An invoice with a table in Markdown."""
    money = f["n"].money
    body = _goods(f, "| {name} | {n} | {unit} | {sum} |")
    return lines(
        f"# Invoice {f['invoice_number']}",
        "\n",
        f"**From** {f['vendor']}, {f['own_city']}",
        f"**To** {f['customer']['name']}, {f['customer']['city']}",
        f"**Issued** {f['n'].date(f['issued'])}",
        _due(f, "**Due** {}"),
        "\n",
        "| Item | Qty | Unit | Amount |",
        "|---|---|---|---|",
        body,
        "\n",
        f"Tax ({f['rate']}): {money(f['tax'])}",
        f"**To pay: {money(f['sum'])}**",
        d.maybe(
            f"Questions: {f['mail']}",
            f"Ordered by {f['buyer'].full}",
            "Goods remain our property until paid in full.",
            share=0.7,
        ),
    )


def reminder(d: Draw, f: Facts) -> str:
    """A polite reminder that repeats what the invoice said."""
    money = f["n"].money
    late = d.pick(
        (
            "perhaps it was overlooked:",
            "our books show that the following is still open:",
            "we have not yet received your payment.",
        )
    )
    body = say(
        f"Our invoice no. {f['invoice_number']} to {f['customer']['name']}, "
        f"{f['customer']['city']}, was issued "
        f"on {f['n'].date(f['issued'])} over a total of {money(f['sum'])}"
        + _due(f, d.pick((" and was due on {}", ", payable by {}")))
        + ".",
        f"That total already contains {money(f['tax'])} tax.",
        "We have not added a reminder fee."
        if d.chance(0.5)
        else f"A fee of {money(f['discount'])} would only be added to a second reminder.",
    )
    return lines(
        "PAYMENT REMINDER",
        greeting(d, f["buyer"].formal),
        late,
        body,
        "If you have paid in the meantime, please ignore this letter.",
        f["clerk"].full,
        f["vendor"],
    )


def forwarded_chat(d: Draw, f: Facts) -> str:
    """A chat in which somebody passes an invoice on to accounting."""
    me, accounts = f["buyer"].given, f["clerk"].given
    money = f["n"].money
    return lines(
        f"{me}: "
        f"{d.pick(('got a new bill here,', 'can you book this one?', 'one more for the pile:'))} it's from "
        f"{f['vendor']}, number {f['invoice_number']}",
        f"{accounts}: {d.pick(('made out to whom?', 'which of our companies is on it?'))}",
        f"{me}: {f['customer']['name']}, the {f['customer']['city']} office",
        f"{accounts}: amount and dates?",
        f"{me}: {money(f['net'])} plus tax, that makes {money(f['sum'])} to pay. Invoice date is "
        f"{f['n'].date(f['issued'])}",
        f"{me}: {_due(f, 'due {}')}" if f["due"] else f"{me}: no due date on it",
        f"{accounts}: {d.pick(('thanks, booked', 'ok, will do it today', 'done'))}",
    )


KIND = Kind(
    name="invoice",
    slice="medium",
    fields=(
        Field("invoice_number"),
        Field("vendor"),
        Field("customer", parts=(Field("name"), Field("city"))),
        Field("issue_date", "date"),
        Field("due_date", "date", nullable=True),
        Field("total", "number", "tax included"),
        Field("currency", "currency"),
    ),
    facts=facts,
    layouts={"classic": classic, "mail_body": mail_body, "till_slip": till_slip, "table": table},
    held_out={"reminder": reminder, "forwarded_chat": forwarded_chat},
)
