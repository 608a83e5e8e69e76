"""discharge (domain, medical): what a patient has and takes from now on."""

from __future__ import annotations

from datetime import date, timedelta

from ..draw import Draw
from ..notation import date_text, notation
from ..people import people
from ..places import country
from ..spec import Facts, Field, Kind
from ..wording import lines, listing, say

# (diagnosis, drugs that fit it with dose and the ways to take them)
_DAY, _TWICE, _THRICE = (
    ("once daily", "in the morning"),
    ("twice daily", "every 12 hours"),
    ("three times daily", "every 8 hours"),
)
_PAIN, _NIGHT, _MEAL = (
    ("as needed", "every 8 hours", "three times daily"),
    ("at night", "once daily"),
    ("with meals",),
)
_CASES = (
    (
        "community-acquired pneumonia",
        (
            ("amoxicillin", "500 mg", _THRICE),
            ("paracetamol", "1 g", _PAIN),
            ("salbutamol", "100 mcg", ("as needed",)),
        ),
    ),
    (
        "atrial fibrillation",
        (("apixaban", "5 mg", _TWICE), ("bisoprolol", "2.5 mg", _DAY), ("atorvastatin", "20 mg", _NIGHT)),
    ),
    (
        "type 2 diabetes mellitus",
        (
            ("metformin", "850 mg", ("twice daily", "with meals")),
            ("empagliflozin", "10 mg", _DAY),
            ("ramipril", "5 mg", _DAY),
        ),
    ),
    (
        "acute pancreatitis",
        (
            ("pantoprazole", "40 mg", _DAY),
            ("metamizole", "500 mg", _PAIN),
            ("pancreatin", "25000 units", _MEAL),
        ),
    ),
    (
        "deep vein thrombosis",
        (
            ("rivaroxaban", "15 mg", ("twice daily", "twice daily with food")),
            ("paracetamol", "500 mg", _PAIN),
            ("pantoprazole", "20 mg", _DAY),
        ),
    ),
    (
        "congestive heart failure",
        (("furosemide", "40 mg", _DAY), ("spironolactone", "25 mg", _DAY), ("carvedilol", "6.25 mg", _TWICE)),
    ),
    (
        "acute pyelonephritis",
        (
            ("ciprofloxacin", "500 mg", _TWICE),
            ("ibuprofen", "400 mg", _PAIN),
            ("metoclopramide", "10 mg", ("as needed", "three times daily")),
        ),
    ),
    (
        "exacerbation of COPD",
        (("prednisolone", "30 mg", _DAY), ("tiotropium", "18 mcg", _DAY), ("doxycycline", "100 mg", _TWICE)),
    ),
    (
        "distal radius fracture",
        (("ibuprofen", "600 mg", _PAIN), ("paracetamol", "1 g", _PAIN), ("colecalciferol", "20 mcg", _DAY)),
    ),
    (
        "hypothyroidism",
        (
            ("levothyroxine", "75 mcg", ("in the morning", "before breakfast")),
            ("folic acid", "5 mg", _DAY),
            ("ferrous sulfate", "200 mg", ("once daily", "twice daily")),
        ),
    ),
    (
        "iron deficiency anaemia",
        (
            ("ferrous sulfate", "325 mg", ("once daily", "twice daily")),
            ("ascorbic acid", "250 mg", _DAY),
            ("omeprazole", "20 mg", ("before breakfast",)),
        ),
    ),
    (
        "migraine without aura",
        (
            ("sumatriptan", "50 mg", ("as needed",)),
            ("propranolol", "40 mg", _TWICE),
            ("naproxen", "500 mg", ("as needed", "twice daily")),
        ),
    ),
    (
        "acute gout of the left knee",
        (("colchicine", "0.5 mg", _TWICE), ("allopurinol", "100 mg", _DAY), ("naproxen", "500 mg", _TWICE)),
    ),
    (
        "generalised anxiety disorder",
        (
            ("sertraline", "50 mg", _DAY),
            ("propranolol", "10 mg", ("as needed",)),
            ("melatonin", "2 mg", ("at night",)),
        ),
    ),
    (
        "gastro-oesophageal reflux disease",
        (
            ("esomeprazole", "40 mg", ("before breakfast", "once daily")),
            ("sodium alginate", "10 ml", ("after meals", "at night")),
            ("domperidone", "10 mg", ("three times daily", "as needed")),
        ),
    ),
)
_STOPPED = (
    ("diclofenac", "75 mg"),
    ("amlodipine", "5 mg"),
    ("simvastatin", "40 mg"),
    ("tramadol", "50 mg"),
    ("lisinopril", "10 mg"),
    ("digoxin", "125 mcg"),
)
_ALLERGIES = ("penicillin", "cefalexin", "latex", "trimethoprim", "peanuts", "iodinated contrast", "codeine")
_WARDS = ("Ward 4B", "Cardiology", "Ward C2", "Day Clinic", "Internal Medicine", "Ward 12", "Acute Care Unit")


def facts(d: Draw) -> Facts:
    """Return a patient with diagnosis, current and stopped drugs; allergies and follow-up may be absent."""
    land = country(d)
    patient, doctor, other = people(d, 3)
    diagnosis, drugs = d.pick(_CASES)
    admitted = d.day()
    left = admitted + timedelta(days=d.between(1, 9))
    follow = d.day(0, 4, left + timedelta(days=5)) if d.chance(0.65) else None
    born = date(d.between(1938, 2004), d.between(1, 12), d.between(1, 28))
    n = notation(d, land)
    taken = [
        {"name": name, "dose": dose, "frequency": d.pick(often)}
        for name, dose, often in d.sample(drugs, d.between(2, 3))
    ]
    known = _ALLERGIES[2:] if any(drug["name"] == "amoxicillin" for drug in taken) else _ALLERGIES
    allergies = d.sample(known, d.pick((0, 1, 1, 2)))
    birth = "long" if n.dates == "weekday" else n.dates
    return {
        "patient": patient.full,
        "date_of_birth": born.isoformat(),
        "diagnosis": diagnosis,
        "allergies": allergies,
        "medications": taken,
        "follow_up_date": follow.isoformat() if follow else None,
        "born": date_text(born, birth),
        "in": n.date(admitted),
        "out": n.date(left),
        "follow": n.date(follow) if follow else "",
        "stopped": d.pick(_STOPPED),
        "who": patient,
        "doctor": doctor,
        "other": other,
        "ward": d.pick(_WARDS),
        "mrn": d.code("MRN ######"),
        "city": d.pick(land.cities),
        "pulse": d.between(58, 104),
        "pressure": f"{d.between(104, 158)}/{d.between(60, 94)}",
    }


def _drugs(f: Facts, pattern: str) -> list[str]:
    """Return one text for each drug to be taken from now on."""
    return [pattern.format(**drug) for drug in f["medications"]]


def _allergy(f: Facts, pattern: str, none: str) -> str:
    """Return the allergies in the pattern, or what stands there without any."""
    return pattern.format(listing(f["allergies"])) if f["allergies"] else none


def _stopped(f: Facts) -> str:
    """Return the stopped drug with its dose."""
    return " ".join(f["stopped"])


def _follow(f: Facts, pattern: str) -> str:
    """Return the pattern with the day of the follow-up, or nothing."""
    return pattern.format(f["follow"]) if f["follow"] else ""


def letter(d: Draw, f: Facts) -> str:
    """A discharge letter to the family doctor."""
    return lines(
        f"{f['ward']}, {f['city']}, {f['out']}",
        f"Dear Dr {f['other'].surname},",
        say(
            f"we report on {f['patient']}, born {f['born']}, who was with us from {f['in']} to {f['out']}.",
            f"Diagnosis: {f['diagnosis']}.",
            _allergy(f, "Known allergies: {}.", "No known allergies."),
        ),
        "Medication at discharge:",
        *_drugs(f, d.pick(("- {name} {dose} {frequency}", "- {name}, {dose}, {frequency}"))),
        d.pick((f"Stopped: {_stopped(f)}.", f"Please do not continue {_stopped(f)}.")),
        _follow(f, "We would like to see the patient again on {}."),
        d.maybe(f"Blood pressure at discharge {f['pressure']}.", "Blood results were back to normal.", share=0.6),
        f"Dr {f['doctor'].full}",
    )


def ward_summary(d: Draw, f: Facts) -> str:
    """A summary in ward shorthand, with headings."""
    return lines(
        f"DISCHARGE SUMMARY  {f['mrn']}",
        f"Pt: {f['patient']}  DOB {f['born']}",
        f"Adm {f['in']}  D/c {f['out']}  {f['ward']}",
        f"Dx: {f['diagnosis']}",
        f"Obs: BP {f['pressure']}, HR {f['pulse']}",
        _allergy(f, "Allergies: {}", "NKDA"),
        f"Rx on d/c: {'; '.join(_drugs(f, '{name} {dose} {frequency}'))}",
        f"Discontinued: {_stopped(f)}",
        _follow(f, d.pick(("F/u {}", "F/u clinic {}"))) or "F/u: with GP as needed",
        f"Signed: Dr {f['doctor'].surname}",
    )


def clinic_note(d: Draw, f: Facts) -> str:
    """A clinic note in paragraphs: history, assessment, plan."""
    return lines(
        f"Outpatient note, {f['ward']}, seen on {f['out']} by Dr {f['doctor'].full}",
        f"Patient {f['patient']} (date of birth {f['born']}).",
        say(
            "History: feels better since",
            f"{f['in']}.",
            "Sleeps well, appetite normal." if d.chance(0.5) else f"{f['other'].full}, the partner, came along.",
            _allergy(f, "Allergic to {}.", "Reports no allergies."),
        ),
        f"Assessment: {f['diagnosis']}. BP {f['pressure']}.",
        f"Plan: stop {_stopped(f)}. Take from today " + listing(_drugs(f, "{name} {dose} {frequency}")) + ".",
        _follow(f, "Review in clinic on {}."),
    )


def prescription(d: Draw, f: Facts) -> str:
    """A prescription with a note for the pharmacy."""
    return lines(
        f"{d.pick(('PRESCRIPTION', 'Rx'))} -- issued {f['out']}",
        f"For: {f['patient']}   born: {f['born']}",
        f"Indication: {f['diagnosis']}",
        *[f"{i}. {drug}" for i, drug in enumerate(_drugs(f, "{name} {dose}, sig.: {frequency}"), 1)],
        f"Void: {_stopped(f)} (crossed out by prescriber)",
        _allergy(f, "Pharmacy please note allergy: {}", ""),
        _follow(f, "Next visit: {}"),
        f"Prescriber: Dr {f['doctor'].full}, {f['ward']}",
        d.maybe("No refills.", "One refill allowed.", share=0.7),
    )


def handover(d: Draw, f: Facts) -> str:
    """A nursing handover in the SBAR form."""
    return lines(
        f"SBAR handover {f['ward']}, to community nurse {f['other'].full}",
        f"S: {f['patient']}, DOB {f['born']}, goes home on {f['out']}.",
        say(
            f"B: admitted {f['in']} with {f['diagnosis']}.",
            _allergy(f, "Allergy bracelet: {}.", "No allergies."),
        ),
        f"A: stable, HR {f['pulse']}, BP {f['pressure']}.",
        "R: give " + ", ".join(_drugs(f, "{name} {dose} {frequency}")) + f". Do NOT give {_stopped(f)} any more, "
        f"stopped by Dr {f['doctor'].surname}." + _follow(f, " Follow-up is on {}."),
    )


def patient_letter(d: Draw, f: Facts) -> str:
    """A letter to the patient in plain words."""
    who = f["who"]
    return lines(
        f"{f['patient']}, {f['city']} (born {f['born']})",
        f"Dear {who.formal},",
        say(
            f"you were treated in {f['ward']} until {f['out']}. The doctors found: {f['diagnosis']}.",
            f"From now on please take {listing(_drugs(f, '{name} {dose} {frequency}'))}.",
            f"You no longer need {_stopped(f)}.",
        ),
        _allergy(f, "Tell every doctor that you are allergic to {}.", ""),
        _follow(f, "Your check-up with us is on {}."),
        f"With best wishes, Dr {f['doctor'].full}",
    )


KIND = Kind(
    name="discharge",
    slice="domain",
    domain="medical",
    fields=(
        Field("patient", note="full name"),
        Field("date_of_birth", "date"),
        Field("diagnosis"),
        Field("allergies", many=True, note="[] if none"),
        Field(
            "medications",
            many=True,
            note="current ones only",
            parts=(Field("name"), Field("dose", note="with unit"), Field("frequency")),
        ),
        Field("follow_up_date", "date", nullable=True),
    ),
    facts=facts,
    layouts={
        "letter": letter,
        "ward_summary": ward_summary,
        "clinic_note": clinic_note,
        "prescription": prescription,
    },
    held_out={"handover": handover, "patient_letter": patient_letter},
)
