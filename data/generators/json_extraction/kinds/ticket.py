"""ticket (medium): a support ticket about a program."""

from __future__ import annotations

from ..draw import Draw
from ..notation import notation
from ..people import people
from ..places import company, country, domain
from ..spec import Facts, Field, Kind
from ..wording import closing, greeting, labelled, lines, listing, say

# (what goes wrong, tags that fit)
_PROBLEMS = (
    ("the export to PDF stops at page 2", ("export", "pdf", "layout")),
    ("the login page reloads without a message", ("login", "session")),
    ("attachments over 10 MB disappear", ("upload", "attachments", "data loss")),
    ("the calendar shows meetings one hour late", ("calendar", "time zone")),
    ("search finds nothing with umlauts", ("search", "unicode")),
    ("the monthly report takes ten minutes to open", ("reports", "performance")),
    ("two users were billed twice", ("billing", "duplicates")),
    ("the sync icon never stops turning", ("sync", "offline")),
    ("password reset mails do not arrive", ("mail", "password", "login")),
    ("the dark theme hides the save button", ("theme", "accessibility")),
    ("imported contacts lose their phone numbers", ("import", "contacts", "data loss")),
    ("the map stays empty after an update", ("map", "update")),
    ("printing labels cuts off the last line", ("printing", "labels", "layout")),
    ("notifications come three times", ("notifications", "duplicates")),
    ("the app closes when I zoom in", ("crash", "display")),
    ("the invoice preview shows the wrong logo", ("preview", "branding")),
    ("drag and drop no longer works on the board", ("board", "drag and drop")),
    ("the backup fails with a full-disk message although there is space", ("backup", "storage")),
)
_PRODUCTS = (
    "TaskHarbor",
    "Ledgerly",
    "PaperTrail Pro",
    "InboxOwl",
    "RouteMate",
    "ClinicDesk",
    "StockPilot",
    "NoteNest",
    "FormForge",
    "ShiftBoard",
    "PixelVault",
    "CallGarden",
)
# system: browsers that run on it
_SYSTEMS = {
    "Windows 11": ("Firefox 126", "Chrome 124", "Edge 123", "Opera 109"),
    "Windows 10": ("Firefox 115", "Chrome 122", "Edge 120"),
    "macOS 14": ("Safari 17", "Firefox 126", "Chrome 124"),
    "Ubuntu 22.04": ("Firefox 125", "Chrome 123", "Brave 1.65"),
    "Fedora 40": ("Firefox 126", "Chrome 124"),
    "iPadOS 17": ("Safari 17", "Chrome 124"),
    "Android 14": ("Chrome 124", "Firefox 125"),
    "ChromeOS 123": ("Chrome 123",),
}
_PRIORITIES = ("low", "normal", "high", "urgent")


def facts(d: Draw) -> Facts:
    """Return a ticket; version, browser and tags may be absent."""
    land = country(d)
    reporter, agent = people(d, 2)
    problem, tags = d.pick(_PROBLEMS)
    day, system = d.day(0, 4), d.pick(list(_SYSTEMS))
    version = d.code("#.#").replace("0.", "1.") + d.pick((".0", ".3", ".12", "", ".7")) if d.chance(0.6) else None
    return {
        "ticket_id": d.code(d.pick(("SUP-#####", "#######", "T-####", "HD####", "CASE-####-@"))),
        "reporter": reporter.full,
        "product": d.pick(_PRODUCTS),
        "version": version,
        "priority": d.pick(_PRIORITIES),
        "environment": {"os": system, "browser": d.pick(_SYSTEMS[system]) if d.chance(0.6) else None},
        "tags": d.sample(tags, d.between(1, len(tags))) if d.chance(0.7) else [],
        "problem": problem,
        "who": reporter,
        "agent": agent,
        "day": day,
        "n": notation(d, land),
        "firm": company(d, land),
        "clock": d.clock(8, 18, 5),
    }


def _where(f: Facts, joint: str = ", ") -> str:
    """Return the system and, where it is known, the browser."""
    browser = f["environment"]["browser"]
    return f"{f['environment']['os']}{joint}{browser}" if browser else str(f["environment"]["os"])


def _product(f: Facts, word: str = "version ") -> str:
    """Return the product and, where it is known, its version."""
    return f"{f['product']} {word}{f['version']}" if f["version"] else str(f["product"])


def export(d: Draw, f: Facts) -> str:
    """The export of a help desk, with labels."""
    env = f["environment"]
    head = [
        ("Ticket", f["ticket_id"]),
        ("Opened", f"{f['n'].date(f['day'])} {f['clock']}"),
        (d.pick(("Reporter", "Requester", "Opened by")), f["reporter"]),
        (d.pick(("Agent", "Assigned to")), f["agent"].full),
        ("Product", f["product"]),
        ("Version", f["version"] or ""),
        ("Priority", f["priority"]),
        ("OS", env["os"]),
        ("Browser", env["browser"] or ""),
        (d.pick(("Tags", "Labels")), ", ".join(f["tags"])),
        ("Company", d.maybe(f["firm"])),
    ]
    return lines(
        labelled(head if d.chance(0.5) else d.shuffled(head)),
        f"{d.pick(('Description', 'Problem', 'Summary'))}: {f['problem']}.",
    )


def user_mail(d: Draw, f: Facts) -> str:
    """A mail to support with the ticket number in the subject."""
    name = f["product"]
    text = d.pick(
        (
            f"since this morning {f['problem']}.",
            f"I have a problem with {name}: {f['problem']}.",
            f"my colleagues and I see that {f['problem']}.",
        )
    )
    where = f"I work with {_where(f, ' and ')}." if d.chance(0.5) else f"My computer: {_where(f)}."
    version = f"We use {name} in version {f['version']}." if f["version"] else f"We use {name} every day."
    return lines(
        f"Subject: [{f['ticket_id']}] {name} trouble",
        f"From: {f['who'].email(domain(f['firm']))}",
        greeting(d, f["agent"].given),
        say(text, where, version),
        f"Please treat this as {f['priority']} priority.",
        f"Tags: {', '.join(f['tags'])}" if f["tags"] else "",
        closing(d),
        f["reporter"],
        f["firm"],
    )


def bot_chat(d: Draw, f: Facts) -> str:
    """A chat with a bot that opens a ticket."""
    name, env = f["reporter"], f["environment"]
    return lines(
        d.pick(
            (
                f"Bot: Hello {name}! What is wrong?",
                f"Bot: Hi {name}, how can I help?",
                f"Bot: Welcome to support, {name}. Please describe the problem.",
            )
        ),
        f"{name}: {f['problem']}",
        d.pick(("Bot: Which program and version?", "Bot: Sorry about that. What product is it, which version?")),
        f"{name}: {_product(f, d.pick(('version ', '')))}" + ("" if f["version"] else ", no idea which version"),
        d.pick(("Bot: Your system and browser?", "Bot: And what are you running it on?")),
        f"{name}: {_where(f, d.pick((' with ', ' + ', ', ')))}"
        + ("" if env["browser"] else ", but I use the app, no browser"),
        d.pick(
            (
                f"Bot: Thank you. Ticket {f['ticket_id']} is open, priority {f['priority']}",
                f"Bot: I have opened {f['ticket_id']} with priority {f['priority']}",
            )
        )
        + (f", tagged {listing(f['tags'])}." if f["tags"] else "."),
        f"{name}: {d.pick(('thanks', 'ok, who will call me?', 'how long will it take?'))}",
        d.maybe(f"Bot: {f['agent'].full} will get in touch.", "Bot: You will get a mail.", share=0.8),
    )


def agent_note(d: Draw, f: Facts) -> str:
    """A note by the agent, in short sentences."""
    return lines(
        f"{f['ticket_id']} -- note by {f['agent'].full}, {f['n'].date(f['day'])}",
        say(
            f"Spoke to {f['reporter']} ({f['firm']}) at {f['n'].time(f['clock'])}.",
            f"Issue in {_product(f)}: {f['problem']}.",
            d.pick((f"Seen on {_where(f, ' in ')}.", f"Runs on {_where(f, ' with ')}.")),
            d.maybe(
                "I could reproduce it.",
                "I could not reproduce it here.",
                "Sent them a workaround.",
                share=0.7,
            ),
        ),
        f"Set priority to {f['priority']}." + (f" Added tags: {', '.join(f['tags'])}." if f["tags"] else ""),
        d.maybe("Next: wait for logs.", "Next: ask development.", "Next: call back tomorrow.", share=0.7),
    )


def tracker_issue(d: Draw, f: Facts) -> str:
    """An issue in a tracker, in Markdown."""
    env = f["environment"]
    return lines(
        f"## {f['problem']} (#{f['ticket_id']})",
        f"**{f['reporter']}** opened this on {f['n'].date(f['day'])} | assignee: {f['agent'].full}",
        " ".join(f"`{tag}`" for tag in f["tags"]),
        "\n",
        "### Environment",
        f"* {_product(f, '')}",
        f"* {env['os']}",
        f"* {env['browser']}" if env["browser"] else "",
        "\n",
        "### Expected",
        d.pick(("It works, as it did last week.", "No error.", "What the manual says in chapter 4.")),
        f"### Priority\n{f['priority']}",
    )


def phone_protocol(d: Draw, f: Facts) -> str:
    """The record of a call to the hotline, in complete sentences."""
    env = f["environment"]
    return say(
        f"Hotline record no. {f['ticket_id']}, taken by {f['agent'].full} on {f['n'].day(f['day'])}.",
        f"Caller {f['reporter']} of {f['firm']} says that {f['problem']}.",
        f"The program is {f['product']}" + (f", and the about box shows {f['version']}." if f["version"] else "."),
        f"The caller's machine runs {env['os']}" + (f"; the browser is {env['browser']}." if env["browser"] else "."),
        d.pick((f"We agreed on {f['priority']} priority.", f"Priority: {f['priority']}.")),
        f"To be filed under {listing(f['tags'])}." if f["tags"] else "",
        d.maybe("The caller was friendly.", "A similar call came in last month.", share=0.6),
    )


KIND = Kind(
    name="ticket",
    slice="medium",
    fields=(
        Field("ticket_id", note="without #"),
        Field("reporter", note="full name"),
        Field("product"),
        Field("version", nullable=True),
        Field("priority", choices=_PRIORITIES),
        Field("environment", parts=(Field("os"), Field("browser", nullable=True))),
        Field("tags", many=True, note="[] if none"),
    ),
    facts=facts,
    layouts={"export": export, "user_mail": user_mail, "bot_chat": bot_chat, "agent_note": agent_note},
    held_out={"tracker_issue": tracker_issue, "phone_protocol": phone_protocol},
)
