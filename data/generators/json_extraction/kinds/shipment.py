"""shipment (domain, logistics): a sea shipment with its containers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ..draw import Draw
from ..notation import notation
from ..people import people
from ..places import company, country
from ..spec import Facts, Field, Kind
from ..wording import greeting, labelled, lines, listing, say

_VESSELS = (
    "MV Astrid Dawn",
    "MV Coral Pioneer",
    "MV Ever Meridian",
    "MV Nordwind",
    "MV Pacific Heron",
    "MV Santa Ilaria",
    "MV Tokai Star",
    "MV Baltic Trader",
    "MV Amber Bay",
    "MV Grand Zambezi",
    "MV Silver Tern",
    "MV Orient Lotus",
)
_PORTS = (
    "Rotterdam",
    "Santos",
    "Mombasa",
    "Gdynia",
    "Yokohama",
    "Chennai",
    "Savannah",
    "Le Havre",
    "Felixstowe",
    "Hamburg",
    "Busan",
    "Valparaíso",
    "Piraeus",
    "Durban",
    "Halifax",
    "Genoa",
    "Colombo",
    "Jebel Ali",
)
_CARGO = (
    "ceramic tiles",
    "machine parts",
    "green coffee",
    "bicycle frames",
    "frozen fish",
    "office furniture",
    "solar modules",
    "cotton fabric",
    "paper rolls",
    "wine in bottles",
    "tea chests",
    "steel fittings",
)
_TERMS = ("FOB", "CIF", "FCA", "CFR", "DAP")
_VALUE = {
    sign: value for value, sign in zip([n for n in range(10, 39) if n % 11], "ABCDEFGHIJKLMNOPQRSTUVWXYZ", strict=False)
}


def container_number(d: Draw) -> str:
    """Return a container number with a correct check digit."""
    body = d.code("@@@") + "U" + d.code("######")
    total = sum((int(sign) if sign.isdigit() else _VALUE[sign]) << place for place, sign in enumerate(body))
    return f"{body}{total % 11 % 10}"


def _boxes(d: Draw) -> list[dict[str, Any]]:
    """Return two or three containers; a seal may be missing."""
    return [
        {
            "number": container_number(d),
            "seal": d.code("@@####") if d.chance(0.75) else None,
            "weight_kg": d.between(90, 265) * 100 + d.pick((0, 20, 50, 80)),
        }
        for _ in range(d.between(2, 3))
    ]


def facts(d: Draw) -> Facts:
    """Return a shipment; the first estimate of the arrival is out of date, and the last one counts."""
    land = country(d)
    shipper, consignee = company(d, land), company(d, country(d))
    clerk, receiver = people(d, 2)
    loading, discharge, via = d.sample(_PORTS, 3)
    sailed = d.day()
    first = sailed + timedelta(days=d.between(14, 40))
    eta = first + timedelta(days=d.between(1, 9))
    n = notation(d, land)
    return {
        "bill_of_lading": d.code(d.pick(("@@@@######", "@@@#########", "@@-####-##"))),
        "vessel": d.pick(_VESSELS),
        "voyage": d.code(d.pick(("###@", "@@###", "####E", "##W"))),
        "port_of_loading": loading,
        "port_of_discharge": discharge,
        "eta": eta.isoformat(),
        "containers": _boxes(d),
        "consignee": consignee if d.chance(0.7) else None,
        "shipper": shipper,
        "clerk": clerk,
        "receiver": receiver,
        "via": via,
        "sailed": n.date(sailed),
        "first": n.date(first),
        "due": n.date(eta),
        "cargo": d.pick(_CARGO),
        "terms": d.pick(_TERMS),
        "style": d.pick(("{:,} kg", "{} kg", "{} kgs", "tonnes")),
    }


def _weight(f: Facts, kilos: int) -> str:
    """Return the weight in the notation of the document, kilograms or tonnes."""
    return f"{kilos / 1000:.2f} t" if f["style"] == "tonnes" else f["style"].format(kilos)


def _box_texts(f: Facts, pattern: str, seal: str, none: str = "") -> list[str]:
    """Return one text for each container, with its seal where it has one."""
    return [
        pattern.format(
            number=box["number"],
            weight=_weight(f, box["weight_kg"]),
            seal=seal.format(box["seal"]) if box["seal"] else none,
        )
        for box in f["containers"]
    ]


def _consignee(f: Facts, pattern: str) -> str:
    """Return the pattern with the consignee, or nothing."""
    return pattern.format(f["consignee"]) if f["consignee"] else ""


def arrival_notice(d: Draw, f: Facts) -> str:
    """An arrival notice with labels; the arrival was revised."""
    rows = [
        ("Vessel / voyage", f"{f['vessel']} / {f['voyage']}"),
        ("B/L no.", f["bill_of_lading"]),
        ("Shipper", f["shipper"]),
        ("Consignee", _consignee(f, "{}")),
        (d.pick(("POL", "Port of loading")), f["port_of_loading"]),
        (d.pick(("POD", "Port of discharge")), f["port_of_discharge"]),
        ("ETA", f"{f['due']} (revised, was {f['first']})"),
        ("Cargo", f["cargo"]),
    ]
    return lines(
        "ARRIVAL NOTICE",
        labelled(rows),
        "Containers:",
        *_box_texts(f, "{number}  {weight}{seal}", "  seal {}"),
        d.maybe(f"Contact {f['clerk'].full}", "Free time: 5 days", f"Terms: {f['terms']}", share=0.8),
    )


def bill(d: Draw, f: Facts) -> str:
    """The body of a bill of lading."""
    return lines(
        f"BILL OF LADING {f['bill_of_lading']}",
        say(
            f"SHIPPED on board the {f['vessel']}, voyage {f['voyage']}, at the port of loading "
            f"{f['port_of_loading']} on "
            f"{f['sailed']}, by {f['shipper']}, in apparent good order, {f['cargo']} said to be contained in",
            listing(_box_texts(f, "{number}{seal}, gross {weight}", " (seal {})")) + ",",
        ),
        f"for carriage via {f['via']} to the port of discharge {f['port_of_discharge']}"
        + _consignee(f, ", consigned to {}")
        + ".",
        f"Estimated arrival {f['due']}. Freight "
        f"{d.pick(('prepaid', 'collect', 'payable at destination'))}, {f['terms']}.",
    )


def forwarder_mail(d: Draw, f: Facts) -> str:
    """A mail from the forwarder with an update on the arrival."""
    return lines(
        f"Subject: B/L {f['bill_of_lading']} -- {d.pick(('delay', 'new ETA', 'vessel update'))}",
        greeting(d, f["receiver"].given),
        say(
            f"the {f['vessel']} (voy. {f['voyage']}) left {f['port_of_loading']} on "
            f"{f['sailed']} and is now expected in "
            f"{f['port_of_discharge']} on {f['due']}, no longer on {f['first']}.",
            d.pick((f"Reason: berth congestion in {f['via']}.", f"A storm held the ship up in {f['via']}.")),
        ),
        f"Your {d.pick(('boxes', 'containers'))} with {f['cargo']}" + _consignee(f, " for {}") + ":",
        *_box_texts(f, "- {number}, {weight}{seal}", ", seal {}", ", seal not known yet"),
        f["clerk"].full,
    )


def segments(d: Draw, f: Facts) -> str:
    """A data message with short segments, in the manner of EDI."""
    boxes = []
    for box in f["containers"]:
        boxes += [f"EQD+CN+{box['number']}'", f"MEA+WT+KGM:{box['weight_kg']}'"]
        boxes += [f"SEL+{box['seal']}'"] if box["seal"] else []
    return lines(
        f"BGM+BL+{f['bill_of_lading']}'",
        f"TDT+20+{f['voyage']}+{f['vessel']}'",
        f"LOC+LOAD+{f['port_of_loading']}'",
        f"LOC+DISCHARGE+{f['port_of_discharge']}'",
        f"DTM+ETA+{f['eta'].replace('-', '')}'",
        f"NAD+SHIPPER+{f['shipper']}'",
        _consignee(f, "NAD+CONSIGNEE+{}'"),
        *boxes,
        f"FTX+{f['cargo']}'",
        d.maybe(f"CTA+{f['clerk'].full}'", f"TOD+{f['terms']}'", share=0.9),
    )


def agent_message(d: Draw, f: Facts) -> str:
    """A message from the port agent, in short lines."""
    return lines(
        f"{f['clerk'].given} (agent): morning, {f['vessel']} voy {f['voyage']} update",
        f"{f['clerk'].given}: she loaded in {f['port_of_loading']}, called at {f['via']}, next stop is "
        f"{f['port_of_discharge']} where she discharges",
        f"{f['receiver'].given}: ETA still {f['first']}?",
        f"{f['clerk'].given}: no, {f['due']} now",
        f"{f['receiver'].given}: which boxes are ours on BL {f['bill_of_lading']}?",
        *[f"{f['clerk'].given}: {text}" for text in _box_texts(f, "{number} {weight}{seal}", " seal {}")],
        f"{f['clerk'].given}: {_consignee(f, 'consignee is {}')}" if f["consignee"] else "",
        f"{f['receiver'].given}: "
        f"{d.pick(('ok, trucks are booked', 'thanks', 'good, I tell the warehouse'))}, shipper "
        f"{f['shipper']} asked already",
    )


def customs_memo(d: Draw, f: Facts) -> str:
    """A memo on containers held for inspection; a container of another shipment is mentioned."""
    return lines(
        f"CUSTOMS HOLD, {f['port_of_discharge']} (port of discharge)",
        f"File of {f['clerk'].full}",
        say(
            f"The goods ({f['cargo']}, {f['terms']}) come from {f['port_of_loading']}, where "
            f"{f['shipper']} had them "
            f"loaded on {f['vessel']}, voyage {f['voyage']}, under bill of lading {f['bill_of_lading']}.",
            _consignee(f, "The consignee is {}."),
        ),
        f"The ship is expected on {f['due']}; the date of {f['first']} in the manifest is out of date.",
        "To be X-rayed: " + "; ".join(_box_texts(f, "{number} ({weight}{seal})", ", seal {}")) + ".",
        f"Container {container_number(d)} belongs to another bill of lading and is not concerned.",
    )


KIND = Kind(
    name="shipment",
    slice="domain",
    domain="logistics",
    fields=(
        Field("bill_of_lading"),
        Field("vessel"),
        Field("voyage"),
        Field("port_of_loading"),
        Field("port_of_discharge"),
        Field("eta", "date", "latest"),
        Field("consignee", nullable=True),
        Field(
            "containers",
            many=True,
            note="of this bill of lading",
            parts=(Field("number"), Field("seal", nullable=True), Field("weight_kg", "integer")),
        ),
    ),
    facts=facts,
    layouts={
        "arrival_notice": arrival_notice,
        "bill": bill,
        "forwarder_mail": forwarder_mail,
        "segments": segments,
    },
    held_out={"agent_message": agent_message, "customs_memo": customs_memo},
)
