"""How `gatewaylog tokens watch` tells findings: each once, to all who are to hear of them."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.cli import logs
from gatewaylog.cli.terminal import printable
from gatewaylog.cli.verbs import WrongCall
from gatewaylog.notices import notice

if TYPE_CHECKING:
    from argparse import Namespace
    from contextlib import ExitStack

    from gatewaylog.audit.events import EventLog
    from gatewaylog.audit.rules import Finding
    from gatewaylog.audit.rules.told import Told


_PATIENT = 5.0  # seconds that the webhook has at the end
_BRIEF = 1.0  # the same where the next process posts what is left, and this one was told to end


def told_before(options: Namespace, state: str, stack: ExitStack) -> Told | None:
    """Return what remembers; the usual place is beside the log. Raises WrongCall."""
    from gatewaylog.audit.rules.told import Told

    path = Path(state)
    if not state:
        first = logs.named(options, "tokens watch").paths[0]
        if options.once or first == "-":
            return None
        path = Path(first) if Path(first).is_dir() else Path(first).parent
        path /= f".{Path(first).name}.watched"
    try:
        return stack.enter_context(Told(path))
    except BlockingIOError:
        raise WrongCall(f"tokens watch: {path}: another process watches with it") from None
    except ValueError as error:
        raise WrongCall(f"tokens watch: {path}: {error}") from None
    except OSError as error:
        if state:
            raise WrongCall(f"tokens watch: --state {path}: {error.strerror}") from None
        notice(f"{path}: {error.strerror}: what was told is forgotten at the end (see --state)")
        return None


class Teller:
    """Tells findings to all who are to hear of them, each once."""

    def __init__(
        self,
        options: Namespace,
        configured: logs.Configured,
        webhook: str,
        told: Told | None,
        stack: ExitStack,
    ) -> None:
        from gatewaylog.audit.rules import Severity
        from gatewaylog.audit.rules.reporting import Report, ToEventLog
        from gatewaylog.audit.rules.webhook import Webhook

        self._as_json = options.json
        self._least = Severity[options.severity.upper()]
        self._told = told
        self._webhook: Webhook | None = None
        self._failed = False
        self._reports: list[Report] = []
        stack.callback(self.save)  # the last: what the webhook has not taken by its end
        if options.record:
            self._reports.append(ToEventLog(_event_log(configured, stack)))
        if webhook:
            try:
                self._webhook = Webhook(webhook, told.waiting if told else ())
            except ValueError as error:
                raise WrongCall(f"tokens watch: --webhook {error}") from None
            self._reports.append(self._webhook)
            is_brief = told is not None and not options.once
            stack.callback(self._webhook.close, _BRIEF if is_brief else _PATIENT)

    def tell(self, finding: Finding) -> None:
        """Tell a finding that was not told yet."""
        if self._told is not None and not self._told.is_new(finding):
            return
        if finding.severity < self._least:
            self.pass_over(finding)
            return
        self._say(finding)
        if self._told is not None:
            self._told.add(finding)
            self.save()

    def _say(self, finding: Finding) -> None:
        from gatewaylog.audit.rules.reporting import shown

        print(json.dumps(shown(finding)) if self._as_json else _line(finding), flush=True)
        for report in self._reports:
            report.tell(finding)

    def pass_over(self, finding: Finding) -> None:
        """Take note of a finding that needs not to be told."""
        if self._told is not None:
            self._told.pass_over(finding)

    def save(self, until: float | None = None) -> None:
        """Keep what was told; see `Told.save`."""
        if self._told is None:
            return
        if self._webhook is not None:
            self._told.waiting = self._webhook.pending
        try:
            self._told.save(until)
        except OSError as error:
            if not self._failed:
                notice(f"can't keep what was told: {error.strerror}; it may be told again")
            self._failed = True


def _event_log(configured: logs.Configured, stack: ExitStack) -> EventLog:
    from gatewaylog.audit.events import EventLog

    if not configured.events:
        raise WrongCall("tokens watch: --record needs event_log.path in gateway.toml")
    log = EventLog(configured.events, format=configured.events_format)
    stack.callback(log.close)
    return log


def _line(finding: Finding) -> str:
    stamp = datetime.fromtimestamp(finding.at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    severity = finding.severity.name.lower()
    return printable(f"{stamp}  {finding.rule} {severity:<6} {finding.client}: {finding.detail}")
