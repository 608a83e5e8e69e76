"""Goods with a plausible price in euros, for invoices and orders."""

from __future__ import annotations

from .draw import Draw

GOODS: tuple[tuple[str, int], ...] = (
    ("desk lamp", 39),
    ("office chair", 189),
    ("filing cabinet", 240),
    ("whiteboard", 115),
    ("monitor arm", 74),
    ("printer cartridge", 46),
    ("paper shredder", 129),
    ("extension lead", 18),
    ("coat stand", 62),
    ("wall clock", 34),
    ("water filter", 27),
    ("first-aid kit", 41),
    ("fire blanket", 22),
    ("step ladder", 88),
    ("hand truck", 97),
    ("tool box", 66),
    ("torque wrench", 83),
    ("safety helmet", 29),
    ("work glove set", 14),
    ("ear defender", 25),
    ("folding table", 78),
    ("bar stool", 95),
    ("patio heater", 210),
    ("garden hose", 37),
    ("planter box", 52),
    ("espresso cup set", 33),
    ("serving tray", 19),
    ("table cloth", 24),
    ("chef knife", 58),
    ("cutting board", 31),
    ("projector screen", 175),
    ("cable drum", 49),
    ("label printer", 142),
    ("barcode scanner", 108),
    ("network switch", 133),
    ("headset", 69),
    ("webcam", 55),
    ("laptop stand", 44),
    ("docking station", 164),
    ("display case", 320),
    ("rubber mat", 36),
    ("storage crate", 21),
    ("pallet cover", 47),
    ("shelf unit", 118),
)


def goods(d: Draw, count: int) -> list[tuple[str, int]]:
    """Return ``count`` different goods with their price."""
    return d.sample(GOODS, count)
