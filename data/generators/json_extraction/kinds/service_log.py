"""service_log (medium): one event in the log of a server; some lines around it belong to others."""

from __future__ import annotations

from datetime import date

from ..draw import Draw
from ..notation import month
from ..spec import Facts, Field, Kind
from ..wording import lines

# Split between train, val and test, so that no service stands in two splits.
_SERVICES = (
    "checkout-api",
    "mail-relay",
    "image-resizer",
    "user-directory",
    "payment-gateway",
    "search-index",
    "report-worker",
    "geo-lookup",
    "session-store",
    "invoice-render",
    "push-notifier",
    "stock-sync",
    "audit-trail",
    "chat-router",
    "backup-agent",
    "price-feed",
    "pdf-export",
    "label-printer",
    "webhook-sender",
    "feature-flags",
    "quota-guard",
    "video-encoder",
    "form-intake",
    "map-tiles",
    "badge-reader",
    "fleet-tracker",
    "menu-service",
    "ticket-bridge",
    "ledger-writer",
    "cache-warmer",
    "token-issuer",
    "route-planner",
    "meter-import",
    "sms-gateway",
    "queue-broker",
    "grade-book",
    "seat-finder",
    "tax-engine",
    "photo-upload",
    "health-probe",
)
_HOSTS = (
    "web-{}",
    "node{}.fra.example",
    "app{}.prod.example",
    "10.0.4.{}",
    "worker-{}",
    "db{}.internal.example",
)
_ERRORS = (
    ("E1042", "connection refused by upstream"),
    ("E2001", "disk quota exceeded"),
    ("DB-17", "deadlock detected"),
    ("TLS_EXPIRED", "certificate has expired"),
    ("E4080", "request timed out"),
    ("AUTH-3", "invalid token signature"),
    ("ENOSPC", "no space left on device"),
    ("E5003", "queue is full"),
    ("PAY-51", "card was declined"),
    ("E_PARSE", "unexpected end of input"),
    ("NET-9", "host unreachable"),
    ("E3110", "too many open files"),
    ("LOCK-2", "lock not acquired"),
    ("SMTP-550", "mailbox unavailable"),
    ("E7007", "schema version mismatch"),
)
_QUIET = (
    "configuration reloaded",
    "started in 812 ms",
    "connection pool resized to 20",
    "cache flushed",
    "nightly job finished",
    "new leader elected",
    "health check passed",
    "41 records written",
    "listening on port 8080",
    "retry succeeded",
)
_LEVELS = ("INFO", "NOTICE", "WARN", "ERROR", "FATAL")


def facts(d: Draw) -> Facts:
    """Return a log event; error, request id and duration may be absent."""
    day, clock = d.day(), d.clock(0, 23, 1)
    failed = d.chance(0.65)
    code, message = d.pick(_ERRORS)
    service = d.own(_SERVICES)
    return {
        "date": day.isoformat(),
        "time": clock,
        "level": d.pick(_LEVELS[2:] if failed else _LEVELS[:2]),
        "service": service,
        "host": d.pick(_HOSTS).format(d.between(2, 98)),
        "error": {"code": code, "message": message} if failed else None,
        "request_id": d.code(d.pick(("req-%%%%%%", "%%%%-%%%%", "%%%%%%%%"))) if d.chance(0.6) else None,
        "duration_ms": d.between(3, 9800) if d.chance(0.55) else None,
        "day": day,
        "seconds": f"{d.between(0, 59):02d}",
        "quiet": d.pick(_QUIET),
        "noise": d.pick(_QUIET),
        "other": d.own(_SERVICES),
    }


def _apache(day: date) -> str:
    """Return the day as web servers write it: 14/Mar/2025."""
    return f"{day.day:02d}/{month(day)[:3]}/{day.year}"


def _what(f: Facts, pattern: str) -> str:
    """Return the error in the pattern, or the quiet message."""
    return pattern.format(**f["error"]) if f["error"] else f["quiet"]


def logfmt(d: Draw, f: Facts) -> str:
    """key=value pairs on one line."""
    pairs = [f"service={f['service']}", f"host={f['host']}"]
    pairs += [f"code={f['error']['code']}", f'err="{f["error"]["message"]}"'] if f["error"] else [f'msg="{f["quiet"]}"']
    pairs += [f"request_id={f['request_id']}"] if f["request_id"] else []
    pairs += [f"{d.pick(('took', 'duration', 'elapsed'))}={f['duration_ms']}ms"] if f["duration_ms"] else []
    pairs += [f"pid={d.between(200, 9000)}"] if d.chance(0.5) else []
    return f"ts={f['date']}T{f['time']}:{f['seconds']}Z level={f['level']} " + " ".join(
        d.shuffled(pairs) if d.chance(0.7) else pairs
    )


def bracketed(d: Draw, f: Facts) -> str:
    """Two lines in brackets; only one of them is a line of the service named in the header."""
    line = (
        f"[{f['date']} {f['time']}:{f['seconds']}] [{f['level']}] [{f['host']}] {f['service']}: "
        f"{_what(f, '{code}: {message}')}"
    )
    line += f" (request {f['request_id']})" if f["request_id"] else ""
    line += f" after {f['duration_ms']} ms" if f["duration_ms"] else ""
    before = f"[{f['date']} {f['time']}:{f['seconds']}] [DEBUG] [{f['host']}] {f['other']}: {f['noise']}"
    return lines(
        f"# {d.pick(('event', 'last event', 'entry'))} of {f['service']}, with one line of context",
        *d.shuffled((line, before)),
    )


def journal(d: Draw, f: Facts) -> str:
    """A syslog-like block with the parts on lines of their own."""
    return lines(
        f"{f['day'].day} {month(f['day'])} {f['day'].year} {f['time']}:{f['seconds']} {f['host']} "
        f"{f['service']}[{d.between(100, 9999)}]: <{f['level']}>",
        f"    {_what(f, d.pick(('{message} ({code})', 'error {code}, {message}')))}",
        f"    request id: {f['request_id']}" if f["request_id"] else "",
        f"    duration: {f['duration_ms']} ms" if f["duration_ms"] else "",
        d.maybe(
            f"    uptime: {d.between(2, 90)} days",
            f"    region: {d.pick(('eu-west', 'us-east', 'ap-south'))}",
            f"    build: {d.code('#.##.#')}",
            share=0.8,
        ),
    )


def piped(d: Draw, f: Facts) -> str:
    """A row of a log viewer, with its header."""
    columns = [
        ("day", f"{f['day'].year}/{f['day'].month:02d}/{f['day'].day:02d}"),
        ("time", f"{f['time']}:{f['seconds']}"),
        ("severity", f["level"]),
        ("service", f["service"]),
        ("host", f["host"]),
        ("code", f["error"]["code"] if f["error"] else "-"),
        ("message", _what(f, "{message}")),
        ("request id", f["request_id"] or "-"),
        ("ms", str(f["duration_ms"] or "-")),
    ]
    columns = d.shuffled(columns) if d.chance(0.6) else columns
    return lines(
        d.maybe("log viewer, 1 row selected", "filter: last hour", f"export for ticket {d.code('####')}"),
        " | ".join(name for name, _ in columns),
        " | ".join(value for _, value in columns),
    )


def access_log(d: Draw, f: Facts) -> str:
    """A web server line followed by what the service wrote about the same request."""
    path = d.pick(("/v1/orders", "/api/items", "/upload", "/status", "/v2/users/me", "/export"))
    stamp = f"{_apache(f['day'])}:{f['time']}:{f['seconds']} +0000"
    first = (
        f'{f["host"]} - - [{stamp}] "{d.pick(("GET", "POST", "PUT"))} {path} HTTP/1.1" '
        f"{d.pick(('500', '503', '502')) if f['error'] else '200'}"
    )
    return lines(
        first + (f" {f['duration_ms']}ms" if f["duration_ms"] else ""),
        f"  {f['service']} {f['level']} {_what(f, '{code} {message}')}",
        f"  x-request-id: {f['request_id']}" if f["request_id"] else "",
    )


def trace(d: Draw, f: Facts) -> str:
    """A JSON-like record over several lines."""
    rows = [
        f'"@timestamp": "{f["date"]}T{f["time"]}:{f["seconds"]}+00:00"',
        f'"severity": "{f["level"]}"',
        f'"app": "{f["service"]}"',
        f'"node": "{f["host"]}"',
    ]
    rows.append(
        f'"exception": "{f["error"]["message"]}", "errno": "{f["error"]["code"]}"'
        if f["error"]
        else f'"text": "{f["quiet"]}"'
    )
    rows += [f'"trace": {{"request_id": "{f["request_id"]}"}}'] if f["request_id"] else []
    rows += [f'"elapsed": "{f["duration_ms"] / 1000:.3f} s"'] if f["duration_ms"] else []
    rows += [f'"thread": "pool-{d.between(1, 16)}"'] if d.chance(0.5) else []
    return "{\n  " + ",\n  ".join(rows) + "\n}"


KIND = Kind(
    name="service_log",
    slice="medium",
    fields=(
        Field("date", "date"),
        Field("time", "time", "no seconds"),
        Field("level"),
        Field("service"),
        Field("error", nullable=True, parts=(Field("code"), Field("message"))),
        Field("request_id", nullable=True),
        Field("duration_ms", "integer", nullable=True),
    ),
    facts=facts,
    layouts={"logfmt": logfmt, "bracketed": bracketed, "journal": journal, "piped": piped},
    held_out={"access_log": access_log, "trace": trace},
)
