"""trade (domain, finance): one securities trade with its price, quantity and dates."""

from __future__ import annotations

from datetime import date, timedelta

from ..draw import Draw
from ..notation import money_text, notation, number
from ..people import people
from ..places import country, stem
from ..spec import Facts, Field, Kind
from ..wording import greeting, labelled, lines, say

_PREFIX = {
    "Germany": "DE",
    "United Kingdom": "GB",
    "United States": "US",
    "France": "FR",
    "India": "IN",
    "Japan": "JP",
    "Brazil": "BR",
    "Poland": "PL",
    "Sweden": "SE",
    "Kenya": "KE",
    "Switzerland": "CH",
    "Canada": "CA",
}
_ISSUERS = (
    "{} Industries",
    "{} Holdings",
    "{} Energy",
    "{} Pharma",
    "{} Foods",
    "{} Semiconductors",
    "{} Mining",
    "{} Telecom",
    "{} Airlines",
    "{} Cement",
)
_PAPERS = (
    "ordinary shares",
    "preference shares",
    "class B shares",
    "registered shares",
    "depositary receipts",
)
_BROKERS = ("{} Securities", "{} Capital Markets", "{} Bank", "{} Brokers", "{} Asset Management")
_COMMA = {"comma_after", "code_comma", "space_after", "code_space", "space_code", "zloty", "real"}


def isin(d: Draw, prefix: str) -> str:
    """Return an ISIN with a correct check digit."""
    body = prefix + d.code("#########")
    digits = "".join(str(int(sign, 36)) for sign in body)
    total = sum(
        sum(divmod(int(digit) * (2 if index % 2 == 0 else 1), 10)) for index, digit in enumerate(reversed(digits))
    )
    return f"{body}{-total % 10}"


def _business_days(day: date, count: int) -> date:
    """Return the date that lies ``count`` working days later."""
    while count:
        day += timedelta(days=1)
        count -= day.weekday() < 5
    return day


def facts(d: Draw) -> Facts:
    """Return a trade; quantity times price is the consideration, before the commission."""
    land = country(d)
    trader, clerk = people(d, 2)
    traded = d.day(0, 4)
    quantity = d.between(2, 90) * 50
    cents = d.between(8, 180) * min(land.scale, 60) * 100 + d.pick((0, 25, 40, 75))
    cents = cents // 100 * 100 if land.currency == "JPY" else cents
    settled = _business_days(traded, d.pick((1, 2, 3)))
    security = f"{d.pick(_ISSUERS).format(stem(d, land))} {d.pick(_PAPERS)}"
    other = d.pick(_BROKERS).format(stem(d, land))
    side = d.pick(("buy", "sell"))
    worse = cents + (100 if side == "buy" else -100) * min(land.scale, 60)
    n = notation(d, land)
    fee = max(100, quantity * cents // 100_000 * 100)
    return {
        "side": side,
        "security": security,
        "isin": isin(d, _PREFIX[land.name]),
        "quantity": quantity,
        "price": number(cents),
        "currency": land.currency,
        "trade_date": traded.isoformat(),
        "settlement_date": settled.isoformat(),
        "counterparty": other if d.chance(0.65) else None,
        "traded": n.date(traded),
        "settled": n.date(settled),
        "unit": n.money(cents),
        "gross": n.money(quantity * cents),
        "fee": n.money(fee),
        "trader": trader,
        "clerk": clerk,
        "account": d.code("##-#####-#"),
        "deal": d.code("@@######"),
        "n": n,
        "cents": cents,
        "clock": d.clock(9, 17, 1),
        "limit": money_text(worse, land.currency, "code_dot"),
        "many": str(quantity) if n.amounts in _COMMA else f"{quantity:,}",
        "net": n.money(quantity * cents + fee),
    }


def _party(f: Facts, pattern: str) -> str:
    """Return the pattern with the counterparty, or nothing."""
    return pattern.format(f["counterparty"]) if f["counterparty"] else ""


def contract_note(d: Draw, f: Facts) -> str:
    """A contract note with labels."""
    rows = [
        ("Security", f["security"]),
        ("ISIN", f["isin"]),
        (d.pick(("Quantity", "Nominal/pieces", "Units")), f["many"]),
        ("Price", f["unit"]),
        ("Consideration", f["gross"]),
        ("Commission", f["fee"]),
        ("Trade date", f["traded"]),
        (d.pick(("Settlement date", "Value date", "Settles")), f["settled"]),
        ("Counterparty", _party(f, "{}")),
    ]
    word = {
        "buy": d.pick(("We have BOUGHT for your account", "Purchase for account")),
        "sell": d.pick(("We have SOLD for your account", "Sale for account")),
    }[f["side"]]
    return lines(
        f"CONTRACT NOTE {f['deal']}",
        f"{word} {f['account']}",
        labelled(rows),
        d.maybe(f"Dealer: {f['trader'].full}", f"Client: {f['clerk'].full}", share=0.8),
    )


def broker_mail(d: Draw, f: Facts) -> str:
    """A mail from the broker to the client."""
    verb = {"buy": "bought", "sell": "sold"}[f["side"]]
    return lines(
        f"Subject: executed -- {f['isin']}",
        greeting(d, f["clerk"].formal),
        say(
            f"we {verb} {f['many']} {f['security']} for you on {f['traded']} at "
            f"{f['n'].time(f['clock'])}, at a price of "
            f"{f['unit']} each.",
            f"Your limit was {f['limit']}.",
            _party(f, d.pick(("The other side of the trade was {}.", "Counterparty: {}."))),
        ),
        say(
            f"The gross amount is {f['gross']}; our commission of {f['fee']} comes on top."
            if f["side"] == "buy"
            else f"The gross amount is {f['gross']}, less our commission of {f['fee']}.",
            d.pick((f"Settlement takes place on {f['settled']}.", f"It settles on {f['settled']}.")),
        ),
        f["trader"].full,
    )


def tagged(d: Draw, f: Facts) -> str:
    """A message with tags, in the manner of bank messages."""
    side = {"buy": "BUYI", "sell": "SELL"}[f["side"]]
    unit = "PIECES"
    rows = [
        f":SIDE: {side}",
        f":ISIN: {f['isin']}",
        f":SECU: {f['security']}",
        f":QTY: {unit} {f['quantity']}",
        f":DEALPRICE: {money_text(f['cents'], f['currency'], 'code_dot')}",
        f":TRADEDATE: {f['trade_date'].replace('-', '/')}",
        f":SETTLDATE: {f['settlement_date'].replace('-', '/')}",
        _party(f, ":CPTY: {}"),
    ]
    return lines(
        f"{{1:{f['deal']}}} {d.pick(('NEWM', 'NEW MESSAGE'))}",
        *rows,
        f":SAFEKEEPING: {f['account']}",
        f":COMMISSION: {f['fee']}",
        d.maybe(f":CONTACT: {f['trader'].full}", f":PREPARED BY: {f['clerk'].full}", share=0.9),
    )


def dealer_chat(d: Draw, f: Facts) -> str:
    """A recap of a deal over a dealing chat; a first quote is refused."""
    client, dealer = f["clerk"].full, f["trader"].full
    verb = {"buy": "buy", "sell": "sell"}[f["side"]]
    return lines(
        f"{client}: I want to {verb} {f['many']} {f['security']} pls",
        f"{dealer}: can do {f['limit']}",
        f"{client}: {d.pick(('too far off', 'no, try again', 'not at that level'))}",
        f"{dealer}: {f['unit']}?",
        f"{client}: done",
        f"{dealer}: confirmed, you {verb} {f['many']} at {f['unit']}, ISIN {f['isin']}, trade "
        f"date {f['traded']}, "
        f"settles {f['settled']}",
        _party(f, f"{dealer}: cpty is {{}}"),
        f"{client}: {d.pick(('thx', 'agreed', 'ok, book it to ' + f['account'], 'thanks, account ' + f['account']))}",
    )


def exception_report(d: Draw, f: Facts) -> str:
    """A back-office report on a price that had to be corrected."""
    verb = {"buy": "purchase", "sell": "sale"}[f["side"]]
    return lines(
        f"EXCEPTION REPORT, deal {f['deal']}",
        f"Prepared by {f['clerk'].full}, dealer {f['trader'].full}",
        say(
            f"The {verb} of {f['many']} {f['security']} ({f['isin']}) for account {f['account']} "
            f"was first booked at "
            f"{f['limit']}. This was a typing error. The correct and final price is {f['unit']}."
        ),
        say(
            f"Dealt on {f['traded']}, due to settle on {f['settled']}.",
            _party(f, "The counterparty, {}, agrees."),
            d.maybe("No client was harmed.", "The error was found the same day.", share=0.7),
        ),
    )


def blotter(d: Draw, f: Facts) -> str:
    """One record of a trade blotter, in CSV with a header; dates are written without separators."""
    columns = [
        ("deal", f["deal"]),
        ("b/s", {"buy": "B", "sell": "S"}[f["side"]]),
        ("qty", str(f["quantity"])),
        ("security", f["security"]),
        ("isin", f["isin"]),
        ("px", f"{f['cents'] / 100:.2f}"),
        ("ccy", f["currency"]),
        ("trade_dt", f["trade_date"].replace("-", "")),
        ("settl_dt", f["settlement_date"].replace("-", "")),
        ("cpty", f["counterparty"] or ""),
        ("trader", f["trader"].full),
    ]
    columns = d.shuffled(columns) if d.chance(0.7) else columns
    return lines(
        d.maybe("# blotter, end of day", f"# checked by {f['clerk'].full}", share=0.8),
        ",".join(name for name, _ in columns),
        ",".join(value for _, value in columns),
    )


KIND = Kind(
    name="trade",
    slice="domain",
    domain="finance",
    fields=(
        Field("side", note="of the client", choices=("buy", "sell")),
        Field("security"),
        Field("isin"),
        Field("quantity", "integer"),
        Field("price", "number", "per unit, final"),
        Field("currency", "currency"),
        Field("trade_date", "date"),
        Field("settlement_date", "date"),
        Field("counterparty", nullable=True),
    ),
    facts=facts,
    layouts={
        "contract_note": contract_note,
        "broker_mail": broker_mail,
        "tagged": tagged,
        "dealer_chat": dealer_chat,
    },
    held_out={"exception_report": exception_report, "blotter": blotter},
)
