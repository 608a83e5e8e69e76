"""job_ad (medium): an open position."""

from __future__ import annotations

from ..draw import Draw
from ..notation import notation
from ..people import people
from ..places import company, country, domain
from ..spec import Facts, Field, Kind
from ..wording import an, greeting, labelled, lines, listing, say

# (title, yearly pay in thousand euros, whether it can be done remotely, skills)
_JOBS = (
    ("Data Analyst", 46, True, ("SQL", "Power BI", "Excel", "Python")),
    ("Pastry Chef", 31, False, ("chocolate work", "stock keeping", "sourdough")),
    ("Site Electrician", 38, False, ("low-voltage systems", "fault finding", "driving licence")),
    ("HR Generalist", 42, True, ("payroll", "labour law", "interviewing")),
    ("Backend Developer", 58, True, ("Go", "PostgreSQL", "Kubernetes", "gRPC")),
    ("Warehouse Planner", 36, False, ("route planning", "SAP", "Excel")),
    ("Nurse Manager", 45, False, ("ward planning", "wound care", "first aid")),
    ("Technical Translator", 39, True, ("German", "Japanese", "memoQ")),
    ("Product Designer", 52, True, ("Figma", "user research", "prototyping")),
    ("Quality Engineer", 50, True, ("ISO 9001", "statistics", "audits")),
    ("Event Coordinator", 34, True, ("budgeting", "supplier management", "event safety")),
    ("Legal Secretary", 33, True, ("dictation", "filing", "Word")),
    ("Solar Technician", 37, False, ("roof work", "inverter setup", "customer contact")),
    ("Financial Controller", 64, True, ("IFRS", "forecasting", "Excel")),
    ("Social Media Editor", 35, True, ("copywriting", "video editing", "Canva")),
    ("Tram Driver", 32, False, ("passenger service", "tram licence", "route knowledge")),
    ("Laboratory Assistant", 33, False, ("pipetting", "HPLC", "documentation")),
    ("Customer Success Manager", 49, True, ("onboarding", "Salesforce", "French")),
)
# How pay in the country compares, in the country's currency.
_WAGES = {"India": 0.3, "Kenya": 0.3, "Brazil": 0.45, "Poland": 0.6, "Switzerland": 1.8, "United States": 1.4}


def facts(d: Draw) -> Facts:
    """Return a position; salary, remote work and start may be absent."""
    land = country(d)
    title, pay, movable, skills = d.pick(_JOBS)
    low = int((pay + d.between(-4, 6)) * land.scale * _WAGES.get(land.name, 1.0))
    low -= low % (10 if low > 300 else 1)
    high = low + max(2, int(low * d.pick((0.1, 0.15, 0.2))))
    high -= high % (10 if high > 300 else 1)
    contact, other = people(d, 2)
    start = d.day().replace(day=d.pick((1, 15))) if d.chance(0.55) else None
    paid = d.chance(0.6)
    return {
        "title": title,
        "company": company(d, land),
        "city": d.pick(land.cities),
        "salary": {"min": low * 1000, "max": high * 1000, "currency": land.currency} if paid else None,
        "remote": d.pick((True, False, None) if movable else (False, None)),
        "start_date": start.isoformat() if start else None,
        "skills": d.sample(skills, d.between(2, 3)),
        "pay": _pay(d, low, high, land.currency) if paid else "",
        "start": start,
        "contact": contact,
        "other": other,
        "n": notation(d, land),
    }


def _pay(d: Draw, low: int, high: int, code: str) -> str:
    """Return the pay range, in thousands, in one of several notations."""
    options = [
        f"{code} {low},000 to {high},000" if high < 1000 else f"{code} {low * 1000:,} to {high * 1000:,}",
        f"between {low * 1000:,} and {high * 1000:,} {code}",
        f"{low * 1000:,} - {high * 1000:,} {code}".replace(",", " "),
    ]
    if high < 1000:
        options.append(f"{low}k to {high}k {code}")
    return d.pick(options)


def _remote(d: Draw, f: Facts) -> str:
    """Return a sentence on remote work, or nothing where the advertisement is silent."""
    if f["remote"] is None:
        return ""
    return (
        d.pick(("Remote work is possible.", "You may work remotely.", "Remote: yes."))
        if f["remote"]
        else d.pick(("Remote work is not possible.", "This job cannot be done remotely.", "Remote: no."))
    )


def _start(f: Facts, pattern: str) -> str:
    """Return the pattern with the start, or nothing."""
    return pattern.format(f["n"].date(f["start"])) if f["start"] else ""


def board(d: Draw, f: Facts) -> str:
    """A posting on a job board, with labels."""
    rows = [
        ("Position", f["title"]),
        (d.pick(("Employer", "Company")), f["company"]),
        (d.pick(("City", "Location")), f["city"]),
        (d.pick(("Salary per year", "Yearly pay")), f["pay"]),
        (d.pick(("Start", "Start date", "From")), _start(f, "{}")),
        (d.pick(("Skills", "You bring", "Requirements")), ", ".join(f["skills"])),
    ]
    return lines(
        d.maybe("NEW JOB", "Vacancy", f"Job of the day in {f['city']}", share=0.6),
        labelled(rows if d.chance(0.4) else d.shuffled(rows)),
        _remote(d, f),
        f"{d.pick(('Apply to', 'Contact', 'Ask for'))}: {f['contact'].full}, jobs@{domain(f['company'])}",
    )


def social(d: Draw, f: Facts) -> str:
    """A post in a professional network."""
    return lines(
        d.pick(
            (
                f"We're hiring! {f['company']} is looking for {an(f['title'])} in {f['city']}.",
                f"Come and join {f['company']} as our next {f['title']} ({f['city']}).",
            )
        ),
        say(
            f"You should know {listing(f['skills'])}.",
            f"The yearly salary: {f['pay']}." if f["pay"] else "",
            _remote(d, f),
            _start(f, d.pick(("We start on {}.", "First day: {}."))),
        ),
        d.pick(
            (
                f"Send {f['contact'].full} a message!",
                "Please share with your network.",
                f"Proud of this team, says {f['contact'].full}.",
            )
        ),
    )


def recruiter_mail(d: Draw, f: Facts) -> str:
    """A mail from a recruiter to a candidate."""
    return lines(
        f"Subject: {f['title']} in {f['city']}",
        greeting(d, f["other"].given),
        say(
            d.pick(
                (
                    f"my client {f['company']} needs {an(f['title'])} for the office in {f['city']}.",
                    f"I saw your profile. {f['company']} in {f['city']} would like to meet {an(f['title'])} like you.",
                )
            ),
            f"What counts: {listing(f['skills'])}.",
        ),
        say(
            f"They pay {f['pay']} a year." if f["pay"] else d.maybe("We can talk about money on the phone."),
            _start(f, d.pick(("The contract begins on {}.", "They want someone from {}."))),
            _remote(d, f),
        ),
        d.pick(("Shall we talk this week?", "Are you interested?", "May I call you?")),
        f["contact"].full,
    )


def wall_note(d: Draw, f: Facts) -> str:
    """A note on the wall of a canteen or a university."""
    return lines(
        d.pick(("HELP WANTED", "JOB OFFER", "JOIN US")),
        f["title"],
        f"at {f['company']} / {f['city']}",
        *[f"- {skill}" for skill in f["skills"]],
        f"{f['pay']} per year" if f["pay"] else "",
        _start(f, "from {}"),
        _remote(d, f),
        d.pick(
            (
                f"ring {f['contact'].full}",
                f"ask at the gate for {f['contact'].full}",
                f"write to jobs@{domain(f['company'])}",
            )
        ),
    )


def classified(d: Draw, f: Facts) -> str:
    """A classified advertisement in a newspaper."""
    return say(
        f"{f['city']} --",
        f"{f['company']} seeks {f['title']}",
        d.pick(("with experience in", "with knowledge of", "skilled in")) + f" {listing(f['skills'])}.",
        _start(f, "Position vacant from {}."),
        f"We offer {f['pay']} yearly." if f["pay"] else "",
        _remote(d, f),
        d.pick(
            (
                f"Written applications to {f['contact'].formal}.",
                f"Applications to {f['contact'].full}, no agencies.",
                f"Apply by post, attn. {f['contact'].formal}.",
            )
        ),
    )


def config(d: Draw, f: Facts) -> str:
    """A record of an applicant system, in YAML."""
    remote = "" if f["remote"] is None else ("yes" if f["remote"] else "no")
    return lines(
        f"# exported by {f['other'].full}",
        "vacancy:",
        f"  title: {f['title']}",
        f"  employer: {f['company']}",
        f"  location: {f['city']}",
        f"  start: {_start(f, '{}')}" if f["start"] else "",
        f"  annual_pay: {f['pay']}" if f["pay"] else "",
        f"  remote_allowed: {remote}" if remote else "",
        "  skills:",
        *[f"    - {skill}" for skill in f["skills"]],
        f"  hiring_manager: {f['contact'].full}",
        f"  state: {d.pick(('open', 'published', 'approved'))}",
    )


KIND = Kind(
    name="job_ad",
    slice="medium",
    fields=(
        Field("title"),
        Field("company"),
        Field("city"),
        Field(
            "salary",
            nullable=True,
            note="per year",
            parts=(Field("min", "number"), Field("max", "number"), Field("currency", "currency")),
        ),
        Field("remote", "boolean", "whether possible", nullable=True),
        Field("start_date", "date", nullable=True),
        Field("skills", many=True),
    ),
    facts=facts,
    layouts={"board": board, "social": social, "recruiter_mail": recruiter_mail, "wall_note": wall_note},
    held_out={"classified": classified, "config": config},
)
