"""agreement (domain, legal): the terms of a contract."""

from __future__ import annotations

from datetime import timedelta

from ..draw import Draw
from ..notation import amount, month, notation, number, ordinal
from ..people import people
from ..places import company, country
from ..spec import Facts, Field, Kind
from ..wording import closing, lines, numbered, say

# (type of contract, what it may be about)
_CONTRACTS = (
    (
        "Supply Agreement",
        ("the supply of packaging", "the supply of spare parts", "the supply of cleaning agents"),
    ),
    ("Service Agreement", ("bookkeeping services", "night security", "the cleaning of two plants")),
    (
        "Licence Agreement",
        ("the use of a routing program", "the use of a trade mark", "the use of training films"),
    ),
    (
        "Lease of Business Premises",
        (
            "an office on the second floor",
            "a storage hall of 600 square metres",
            "a shop next to the station",
        ),
    ),
    (
        "Distribution Agreement",
        ("the resale of hand tools", "the resale of bottled tea", "the sale of spare parts"),
    ),
    (
        "Consultancy Agreement",
        ("advice on data protection", "advice on energy saving", "the planning of a test line"),
    ),
    (
        "Maintenance Agreement",
        ("the upkeep of lifts", "the upkeep of cold rooms", "the yearly check of fire doors"),
    ),
    (
        "Agency Agreement",
        ("the placing of advertisements", "the sale of tickets", "the booking of trade fair stands"),
    ),
    (
        "Hosting Agreement",
        ("the hosting of a web shop", "the hosting of a booking system", "an off-site backup"),
    ),
    (
        "Equipment Hire Agreement",
        ("the hire of measuring devices", "the hire of two forklifts", "the hire of tents"),
    ),
)
_LAWS = {"United Kingdom": "England and Wales", "United States": "New York", "Canada": "Ontario"}
_WORDS = {
    12: "twelve",
    18: "eighteen",
    24: "twenty-four",
    36: "thirty-six",
    60: "sixty",
    30: "thirty",
    90: "ninety",
    14: "fourteen",
    6: "six",
}


def facts(d: Draw) -> Facts:
    """Return the terms; notice period and penalty may be absent. Signature and effective date differ."""
    land = country(d)
    parties = [company(d, land), company(d, land)]
    signer, other, counsel = people(d, 3)
    signed = d.day(0, 4)
    effective = (signed + timedelta(days=d.between(20, 70))).replace(day=1 if d.chance(0.5) else 15)
    if effective <= signed:
        effective = signed + timedelta(days=12)
    cents = amount(d, land, 500, 9000, whole=True)
    fine, noticed = d.chance(0.6), d.chance(0.7)
    n = notation(d, land)
    kind, subjects = d.pick(_CONTRACTS)
    return {
        "contract_type": kind,
        "parties": parties,
        "effective_date": effective.isoformat(),
        "term_months": d.pick((6, 12, 18, 24, 36, 60)),
        "notice_days": d.pick((14, 30, 60, 90)) if noticed else None,
        "governing_law": _LAWS.get(land.name, land.name),
        "penalty": {"amount": number(cents), "currency": land.currency} if fine else None,
        "effective": effective,
        "signed": signed,
        "n": n,
        "fine": n.money(cents) if fine else "",
        "fee": n.money(amount(d, land, 200, 4000, whole=True)),
        "subject": d.pick(subjects),
        "signer": signer,
        "other": other,
        "counsel": counsel,
        "city": d.pick(land.cities),
        "clause": d.between(3, 14),
    }


def _words(count: int) -> str:
    """Return a number as contracts write it: in words, with digits in brackets."""
    return f"{_WORDS[count]} ({count})"


def _notice(f: Facts, pattern: str, spelled: bool = True) -> str:
    """Return the pattern with the notice period, or nothing."""
    days = f["notice_days"]
    return pattern.format(_words(days) if spelled else days) if days else ""


def _fine(f: Facts, pattern: str) -> str:
    """Return the pattern with the penalty, or nothing."""
    return pattern.format(f["fine"]) if f["fine"] else ""


def clauses(d: Draw, f: Facts) -> str:
    """An extract with numbered clauses."""
    first, second = f["parties"]
    return lines(
        f"{f['contract_type']} (extract)",
        f'between {first} ("{d.pick(("the Supplier", "Party A", "the Provider"))}") and {second} '
        f'("{d.pick(("the Client", "Party B", "the Customer"))}"), signed at {f["city"]} on '
        f"{f['n'].date(f['signed'])}",
        numbered(
            f"{f['clause']}.{{n}}",
            f"This Agreement concerns {f['subject']} and takes effect on {f['n'].date(f['effective'])} "
            f'(the "Effective Date").',
            f"It runs for a term of {_words(f['term_months'])} months from the Effective Date.",
            _notice(f, "Either party may terminate by giving {} days' written notice."),
            _fine(f, "In the event of breach the defaulting party shall pay liquidated damages of {}."),
            f"The monthly fee is {f['fee']}.",
            f"This Agreement is governed by the laws of {f['governing_law']}.",
        ),
    )


def counsel_memo(d: Draw, f: Facts) -> str:
    """A memo by in-house counsel."""
    first, second = f["parties"]
    return lines(
        f"MEMO, privileged -- from {f['counsel'].full}",
        f"Re: {f['contract_type']} {first} / {second}",
        say(
            f"The contract on {f['subject']} was signed on {f['n'].date(f['signed'])}, but it "
            f"only becomes effective on "
            f"{f['n'].date(f['effective'])}.",
            f"Its term is {f['term_months']} months."
            if d.chance(0.5)
            else f"It then lasts {_WORDS[f['term_months']]} months.",
        ),
        say(
            _notice(f, "Ordinary termination requires {} days' notice.", spelled=False),
            _fine(f, "Note the contractual penalty of {}."),
            f"The fee of {f['fee']} a month is in line with the market.",
        ),
        f"Governing law: {f['governing_law']}. "
        f"{d.maybe('No arbitration clause.', 'Courts of ' + f['city'] + '.')}".strip(),
        d.maybe(f"Signatories: {f['signer'].full}, {f['other'].full}.", share=0.6),
    )


def key_terms(d: Draw, f: Facts) -> str:
    """The sheet of key terms in front of a contract."""
    first, second = f["parties"]
    rows = [
        f"Signature date: {f['n'].date(f['signed'])}",
        f"Effective date: {f['n'].date(f['effective'])}",
        f"Term: {f['term_months']} months",
        _notice(f, "Notice period: {} days", spelled=False),
        _fine(f, "Penalty for breach: {}"),
        f"Fee: {f['fee']} per month",
        f"Governing law: {f['governing_law']}",
    ]
    return lines(
        d.pick(("KEY TERMS", "CONTRACT DATA SHEET", "Schedule 1: particulars")),
        f"Agreement: {f['contract_type']}",
        f"Parties: {first}; {second}",
        f"Subject: {f['subject']}",
        *d.shuffled(rows),
        f"Signed by {f['signer'].full} and {f['other'].full}",
    )


def recital(d: Draw, f: Facts) -> str:
    """A contract in the older, recital style."""
    first, second = f["parties"]
    day = f["signed"]
    return lines(
        f"THIS {f['contract_type']} is made the {ordinal(day.day)} day of {month(day)} {day.year}",
        f"BETWEEN (1) {first}, represented by {f['signer'].full}; and (2) {second}, represented by {f['other'].full}.",
        f"WHEREAS the parties wish to agree on {f['subject']}, NOW IT IS AGREED:",
        numbered(
            "({a})",
            f"the Agreement shall commence on {f['n'].date(f['effective'])} and continue for "
            f"{_words(f['term_months'])} months;",
            _notice(f, "it may be determined by either party upon {} days' notice;"),
            _fine(f, "a party in breach shall forfeit {} as agreed damages;"),
            f"a charge of {f['fee']} shall fall due each month;",
            f"the law of {f['governing_law']} shall apply.",
        ),
    )


def amendment(d: Draw, f: Facts) -> str:
    """An amendment that replaces the term of an earlier version."""
    first, second = f["parties"]
    old = d.pick([months for months in (6, 12, 24, 36) if months != f["term_months"]])
    return lines(
        f"AMENDMENT No. {d.between(1, 4)} to the {f['contract_type']}",
        f"Parties: {first} and {second}. Signed on {f['n'].date(f['signed'])}.",
        numbered(
            "{n}.",
            f'The words "{old} months" in the term clause are deleted and replaced by "{f["term_months"]} months".',
            f"As amended, the Agreement concerning {f['subject']} is effective from {f['n'].date(f['effective'])}.",
            _notice(f, "Notice of termination shall be {} days.", spelled=False),
            _fine(f, "The contractual penalty is fixed at {}."),
            f"All else, including the choice of the law of {f['governing_law']} and the monthly "
            f"fee of {f['fee']}, remains unchanged.",
        ),
    )


def client_mail(d: Draw, f: Facts) -> str:
    """A lawyer explains the draft to the client by mail."""
    first, second = f["parties"]
    return lines(
        f"Dear {f['signer'].formal},",
        say(
            f"attached is the {f['contract_type']} between {first} and {second}. You sign on "
            f"{f['n'].date(f['signed'])}; your rights and duties start on "
            f"{f['n'].date(f['effective'])}, the effective "
            "date, and not before."
        ),
        say(
            f"You are bound for {f['term_months']} months.",
            _notice(f, "You can get out earlier with {} days' notice.", spelled=False),
            _fine(f, "Should you break the contract, a penalty of {} is due."),
            f"Do not confuse this with the monthly fee ({f['fee']})."
            if f["fine"]
            else f"The monthly fee is {f['fee']}.",
        ),
        f"The contract is under the law of {f['governing_law']}.",
        closing(d),
        f["counsel"].full,
    )


KIND = Kind(
    name="agreement",
    slice="domain",
    domain="legal",
    fields=(
        Field("contract_type"),
        Field("parties", many=True),
        Field("effective_date", "date", "not of signature"),
        Field("term_months", "integer"),
        Field("notice_days", "integer", nullable=True),
        Field("governing_law", note="country or state only"),
        Field(
            "penalty",
            nullable=True,
            note="for breach",
            parts=(Field("amount", "number"), Field("currency", "currency")),
        ),
    ),
    facts=facts,
    layouts={"clauses": clauses, "counsel_memo": counsel_memo, "key_terms": key_terms, "recital": recital},
    held_out={"amendment": amendment, "client_mail": client_mail},
)
