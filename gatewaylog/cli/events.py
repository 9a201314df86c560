"""`gatewaylog events tail|search|sessions`: who did what, from the event log."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from gatewaylog.cli import logs, span
from gatewaylog.cli.output.choosing import OUTPUTS
from gatewaylog.cli.terminal import painted, printable, wants_colour
from gatewaylog.cli.verbs import WrongCall

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Sequence

    from gatewaylog.audit.events.reading import Records
    from gatewaylog.audit.events.records import AuditEvent
    from gatewaylog.audit.events.stories import Story
    from gatewaylog.cli.verbs import Parser
    from gatewaylog.reader import Source
    from gatewaylog.search import Row

EXAMPLE = """\
  gatewaylog events tail -n 50 -f
  gatewaylog events search 'user=ann event=USER_* | stats count by event' --since -7d
  gatewaylog events sessions eOIJ1sAbQEiLJLzZlSHXoA logs/event.log*

search takes QUERY in the language of `gatewaylog search`, with the fields session_id,
tgt_id, state, event, user, organization, ip, requestor, detail, authority and type;
sessions takes a session's id, a TGT's, or the MessageID of an exchange. Without FILE:
event_log.path of gateway.toml here, else logs/event.log or event.log."""

USUAL = ("logs/event.log", "event.log")
_ACTIONS = ("tail", "search", "sessions")
_LAST = 20
_FIELDS = (
    *("session_id", "tgt_id", "event", "user", "organization", "ip"),
    *("requestor", "detail", "authority"),
)


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("action", choices=_ACTIONS, help="the last records, a search, or a session")
    logs.configure(parser)
    parser.add_argument(
        "-n", metavar="N", type=int, default=_LAST, help=f"tail: the last N ({_LAST})"
    )
    parser.add_argument("-f", "--follow", action="store_true", help="tail: go on until Ctrl-C")
    parser.add_argument(
        "--output", choices=OUTPUTS, default="auto", help="search: a table, or lines for programs"
    )
    span.configure(parser)


def run(options: Namespace) -> int:
    """Show what is asked for."""
    return {"tail": _tail, "search": _search, "sessions": _sessions}[options.action](options)


def _tail(options: Namespace) -> int:
    from gatewaylog.audit.events.reading import Records
    from gatewaylog.cli.unread import tell_unread

    if options.n < 0:
        raise WrongCall("events: -n must be 0 or more")
    wanted, records = span.span_of(options), Records()
    if options.follow:
        _follow(options, wanted, records)
    else:
        found = _newest_first(records, _sources(options))
        held = (event for _, event in found if _within(wanted, event))
        for event in list(islice(held, options.n))[::-1]:
            print(_line(event))
    tell_unread(records.unread)
    return 0


def _follow(options: Namespace, wanted: span.Span, records: Records) -> None:
    from gatewaylog.reader import Follower

    with suppress(KeyboardInterrupt), Follower(_paths(options), last=options.n) as follower:
        for entry in follower:
            for _, event in records.of_lines([entry.raw]):
                if _within(wanted, event):
                    print(_line(event), flush=True)


def _search(options: Namespace) -> int:
    from gatewaylog.audit.events.reading import Records
    from gatewaylog.cli.output import show
    from gatewaylog.cli.unread import tell_unread
    from gatewaylog.search import compile_query

    query = _word(options, "search: which QUERY?")
    now = time.time()
    plan = compile_query(query, now=now, **span.span_of(options, now)._asdict())
    records = Records()
    found = _newest_first(records, _sources(options))
    show(plan.run(_row(raw, event) for raw, event in found), options.output, verb="events")
    tell_unread(records.unread)
    return 0


def _sessions(options: Namespace) -> int:
    from gatewaylog.audit.events.reading import Records
    from gatewaylog.audit.events.stories import Wanted, stories_of

    identity = _word(options, "sessions: which ID?")
    wanted, sources = Wanted(identity), _sources(options)

    def chosen() -> list[AuditEvent]:
        return [event for _, event in _newest_first(Records(), sources) if wanted(event)]

    found = chosen()
    if wanted.learn(found):
        found = chosen()
    for story in stories_of(reversed(found)):
        _tell(story)
    if not found:
        print(f"no record of {printable(identity)}", file=sys.stderr)
    return 0 if found else 1


def _tell(story: Story) -> None:
    colour = wants_colour()
    head = printable(f"session {story.session_id or 'without an id'}: {story.who}")
    print(painted(head, "bold" if colour else None))
    for step in story.steps:
        state = "" if step.event.state is None else step.event.state.name
        told = printable(step.told)
        print(f"  {_time(step.event)}  +{step.after:<6.6g} {state:<26} {told}".rstrip())
    print(f"  {len(story.steps)} records in {story.seconds:g} s: {story.end}")


def _newest_first(
    records: Records, sources: Sequence[Source]
) -> Iterator[tuple[bytes, AuditEvent]]:
    found = records.of(sources)
    if len(sources) == 1:
        return found
    return iter(sorted(found, key=lambda pair: -(pair[1].at or 0.0)))


def _row(raw: bytes, event: AuditEvent) -> Row:
    from gatewaylog.search import Row

    fields = {name: str(text) for name in _FIELDS if (text := getattr(event, name))}
    if event.state is not None:
        fields["state"] = event.state.name
    return Row(event.at or 0.0, raw, fields | {"type": str(int(event.whose))})


def _within(wanted: span.Span, event: AuditEvent) -> bool:
    at = event.at or 0.0
    is_early = wanted.earliest is not None and at < wanted.earliest
    return not is_early and (wanted.latest is None or at < wanted.latest)


def _time(event: AuditEvent) -> str:
    return datetime.fromtimestamp(event.at or 0.0).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _line(event: AuditEvent) -> str:
    state = "" if event.state is None else f" [{event.state.name}]"
    told = [
        f"{name}={value}"
        for name in ("user", "organization", "ip", "requestor", "authority", "session_id", "tgt_id")
        if (value := getattr(event, name))
    ]
    detail = f": {event.detail}" if event.detail else ""
    return printable(f"{_time(event)}  {event.event}{state}{detail}  {' '.join(told)}".rstrip())


def _word(options: Namespace, missing: str) -> str:
    if not options.file:
        raise WrongCall(f"events {missing} (see gatewaylog events --help)")
    return str(options.file.pop(0))


def _paths(options: Namespace) -> list[str]:
    if options.file:
        return list(options.file)
    path = logs.configured(options).events or next(filter(os.path.exists, USUAL), "")
    if not path:
        raise WrongCall(
            f"events: which FILE? No gateway.toml here names an event_log.path, nor is {USUAL[0]}"
        )
    return [path]


def _sources(options: Namespace) -> list[Source]:
    return logs.Named(tuple(_paths(options)), rotated=not options.file).sources()
