"""Synthetic use of tokens: 30 days of 200 ordinary clients, and misuses planted in it.

Ordinary means: office hours, weekends and two holidays; nightly batches; clients that are always
there, with outages; clients that roam over networks and browsers, and such that have two sites;
some that come new; overtime; bursts of two or three times what is usual; clients behind one
address; moves to another network or library; expired tokens that are tried again; broken clients.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gatewaylog.audit.rules import TokenEvent, TokenUse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOUR = 3600
DAY = 24 * HOUR
START = 1_767_571_200  # Monday, 2026-01-05T00:00:00Z
DAYS = 30
CLIENTS = 200
MISUSES = 40
_FIRST_MISUSE = 12  # the day from which on they are planted: history is needed
_LIFE = 1800  # seconds of a token
_AGENTS = ("okhttp", "python-requests", "axios", "Apache-HttpClient", "Go-http-client", "RestSharp")
_BROWSERS = ("Mozilla", "Opera", "Safari", "EdFi.Admin", "PostmanRuntime")
_KINDS = ("office", "batch", "steady", "roaming", "seldom")

Row = TokenUse | TokenEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Misuse:
    """A planted misuse: of which rule, of whom (a client or an address), from when to when."""

    rule: str
    whose: frozenset[str]
    begin: float
    end: float


@dataclass(slots=True, kw_only=True)
class Client:
    """An ordinary client, and what it does."""

    name: str
    kind: str
    addresses: list[str]
    agents: list[str]
    rate: float  # calls in an hour in which it is there
    size: float  # bytes of a usual answer
    opens: int
    closes: int
    first: int
    uses_tokens: bool
    holidays: frozenset[int]
    outages: set[int] = field(default_factory=set)  # hours in which it is not there
    stops: float = float("inf")  # planted
    moves: int = 99
    library: int = 99
    key_age: int = 100
    token: str = ""
    token_end: float = 0.0


class Traffic:
    """Rows of 30 days, and the misuses that are planted in them; the same for the same seed."""

    def __init__(self, seed: int, *, clients: int = CLIENTS, days: int = DAYS) -> None:
        self._random = random.Random(seed)
        self._days = days
        self._ids = 0
        self.places: dict[str, tuple[float, float]] = {}
        self._holidays = frozenset(self._random.sample(range(8, days), 2))
        self.clients = [self._client(number) for number in range(clients)]
        self._share_addresses()
        self.misuses: list[Misuse] = []
        self._planted: list[Row] = []
        self._plant()

    # Who is there

    def _address(self) -> str:
        one = self._random
        network = f"{one.randint(11, 190)}.{one.randint(0, 255)}.{one.randint(0, 255)}"
        self.places[network] = (one.uniform(30, 48), one.uniform(-120, -75))
        return f"{network}.{one.randint(1, 254)}"

    def _client(self, number: int) -> Client:
        one = self._random
        kind = one.choices(("office", "batch", "steady", "roaming", "seldom"), (40, 20, 25, 10, 5))[
            0
        ]
        opens = one.randint(6, 9) if kind != "batch" else one.randint(0, 5)
        sites = 2 if one.random() < 0.1 else 1
        client = Client(
            name=f"client{number:03d}",
            kind=kind,
            addresses=[self._address() for _ in range(6 if kind == "roaming" else sites)],
            agents=one.sample(_BROWSERS, 4) if kind == "roaming" else [one.choice(_AGENTS)],
            rate={
                "office": one.uniform(3, 20),
                "batch": one.uniform(50, 300),
                "steady": one.uniform(5, 15),
                "roaming": one.uniform(2, 8),
                "seldom": one.uniform(5, 30),
            }[kind],
            size=one.lognormvariate(9, 1),
            opens=opens,
            closes=opens + one.randint(8, 10) if kind != "batch" else opens + 1,
            first=one.randint(4, 25) if one.random() < 0.15 else 0,
            uses_tokens=one.random() < 0.6,
            holidays=self._holidays,
            moves=one.randint(8, 29) if one.random() < 0.03 else 99,
            library=one.randint(8, 29) if one.random() < 0.02 else 99,
            key_age=one.randint(5, 300),
        )
        if kind == "steady" and one.random() < 0.3:
            begin = one.randint(0, self._days * 24 - 5)
            client.outages.update(range(begin, begin + one.randint(1, 4)))
        return client

    def _share_addresses(self) -> None:
        """Put some clients behind the proxies of their vendors."""
        for _ in range(4):
            address = self._address()
            for client in self._random.sample(self.clients, 6):
                client.addresses[0] = address

    # What they do

    def rows(self) -> list[Row]:
        """Return all rows in the order of time."""
        rows: list[Row] = list(self._planted)
        for client in self.clients:
            rows.extend(self._life(client))
        rows.sort(key=lambda row: row.at)
        return rows

    def _life(self, client: Client) -> Iterator[Row]:
        if not client.uses_tokens:
            client.token = f"key-{client.name}"
            yield TokenEvent(
                at=START - client.key_age * DAY,
                kind="issued",
                token_ref=client.token,
                client=client.name,
            )
        is_broken = self._random.random() < 0.02
        for day in range(client.first, self._days):
            begin = START + day * DAY
            if day == client.moves:
                client.addresses = [self._address()]
            if day == client.library:
                client.agents = [self._random.choice(_AGENTS)]
            for hour, calls in self._hours(client, day):
                moments = sorted(self._random.random() for _ in range(calls))
                for at in (begin + (hour + moment) * HOUR for moment in moments):
                    if at < client.stops:
                        yield from self._call(client, at)
            if is_broken and self._random.random() < 0.2:
                yield from self._broken(client, begin)

    def _hours(self, client: Client, day: int) -> Iterator[tuple[int, int]]:
        """Yield hours of the day and how many calls there are in them."""
        one = self._random
        is_off = day % 7 > 4 or day in client.holidays
        if client.kind in {"office", "roaming"} and is_off and one.random() > 0.05:
            return
        if client.kind == "seldom" and one.random() > 0.25:
            return
        opens, closes = client.opens, client.closes
        if client.kind == "steady":
            opens, closes = 0, 24
        elif client.kind != "batch":
            opens -= one.random() < 0.08
            closes += one.choices((0, 1, 2, 3), (88, 8, 3, 1))[0]
        burst = one.uniform(2, 3.2) if one.random() < 0.015 else 1.0
        burst_hour = one.randrange(opens, min(closes, 24))
        for hour in range(opens, min(closes, 24)):
            if day * 24 + hour in client.outages:
                continue
            rate = client.rate * (burst if hour == burst_hour else 1.0) * one.uniform(0.6, 1.4)
            yield hour, max(int(client.kind == "steady"), round(one.gauss(rate, rate**0.5)))

    def _call(self, client: Client, at: float) -> Iterator[Row]:
        """Yield one call, and the token that it may need."""
        token = client.token
        if client.uses_tokens:
            token = f"{client.name}-{int(at // _LIFE)}"
            if token != client.token:
                client.token = token
                yield from self._issue(client, at, token)
        yield self._use(client, at, token)

    def _issue(self, client: Client, at: float, token: str) -> Iterator[Row]:
        one, begin = self._random, at // _LIFE * _LIFE
        yield TokenEvent(
            at=begin, kind="issued", token_ref=token, client=client.name, expires_at=begin + _LIFE
        )
        if one.random() < 0.01:
            yield TokenEvent(
                at=begin + 1,
                kind="issued",
                token_ref=f"{token}-spare",
                client=client.name,
                expires_at=begin + _LIFE,
            )
        if one.random() < 0.1:
            before = f"{client.name}-{int(begin // _LIFE) - 1}"
            for _ in range(one.randint(1, 3)):
                yield replace(
                    self._use(client, begin + one.random(), before), status=401, error_code="900903"
                )

    def _use(
        self, client: Client, at: float, token: str, address: str = "", agent: str = ""
    ) -> TokenUse:
        one = self._random
        self._ids += 1
        return TokenUse(
            at=at,
            message_id=f"urn:{self._ids}",
            token_ref=token,
            client=client.name,
            remote_ip=address or one.choice(client.addresses),
            user_agent=agent or f"{one.choice(client.agents)}/{int(at // DAY // 10)}.0",
            status=one.choices((200, 404, 500), (96, 3, 1))[0],
            bytes_out=int(client.size * one.lognormvariate(0, 0.5)),
        )

    def _broken(self, client: Client, begin: float) -> Iterator[Row]:
        """Yield refusals of a client that is configured wrongly, over a few hours."""
        start = begin + self._random.randint(9, 15) * HOUR
        for minute in range(0, 180, 2):
            use = self._use(client, start + 60 * minute, f"wrong-{client.name}")
            yield replace(use, status=401, error_code="900901", client=None)

    # What is planted

    def _plant(self) -> None:
        plants: list[Callable[[], Misuse | None]] = [
            self._stolen,
            self._moved,
            self._flown,
            self._burst,
            self._night,
            self._guessed,
            self._ended,
            self._churned,
            self._unused,
            self._old,
            self._harvested,
            self._other_agent,
            self._silent,
            self._exported,
        ]
        turn = 0
        while len(self.misuses) < MISUSES:
            planted = plants[turn % len(plants)]()
            turn += 1
            if planted is not None:
                self.misuses.append(planted)

    def _victim(self, *kinds: str, tokens: bool | None = None) -> Client:
        taken = frozenset().union(*(misuse.whose for misuse in self.misuses))
        return self._random.choice(
            [
                client
                for client in self.clients
                if client.name not in taken
                and client.first == 0
                and len(client.addresses) == 1
                and (not kinds or client.kind in kinds)
                and tokens in {None, client.uses_tokens}
            ]
        )

    def _workday(self) -> int:
        days = [
            day
            for day in range(_FIRST_MISUSE, self._days - 1)
            if day % 7 < 5 and day not in self._holidays
        ]
        return START + self._random.choice(days) * DAY

    def _misuse(self, rule: str, whose: str, begin: float, end: float) -> Misuse:
        return Misuse(rule=rule, whose=frozenset({whose}), begin=begin, end=end)

    def _token_at(self, client: Client, at: float) -> str:
        if client.uses_tokens:
            return f"{client.name}-{int(at // _LIFE)}"
        return f"key-{client.name}"

    def _stolen(self) -> Misuse:
        """R01: while the client calls, somebody else does with its token."""
        client = self._victim("office", "steady")
        begin = self._workday() + 11 * HOUR + self._random.random() * HOUR
        address = self._address()
        for call in range(30):
            at = begin + call * 60
            token = self._token_at(client, at)
            self._planted.append(self._use(client, at, token, address))
            self._planted.append(self._use(client, at + 20, token))
        return self._misuse("R01", client.name, begin, begin + 1800)

    def _moved(self) -> Misuse:
        """R02: a few calls from another network."""
        client = self._victim("office", "batch", "steady", tokens=False)
        begin = self._workday() + client.opens * HOUR + 100
        address = self._address()
        for call in range(5):
            self._planted.append(
                self._use(client, begin + 30 * call, f"key-{client.name}", address)
            )
        return self._misuse("R02", client.name, begin, begin + 150)

    def _flown(self) -> Misuse:
        """R03: calls from the other side of the earth."""
        client = self._victim("office", "steady", tokens=False)
        begin = self._workday() + 12 * HOUR
        address = self._address()
        self.places[address.rpartition(".")[0]] = (-33.9, 151.2)
        self._planted.append(self._use(client, begin - 60, f"key-{client.name}"))
        for call in range(3):
            self._planted.append(
                self._use(client, begin + 30 * call, f"key-{client.name}", address)
            )
        return self._misuse("R03", client.name, begin, begin + 90)

    def _burst(self) -> Misuse:
        """R04: eight times as many calls as the client ever makes."""
        client = self._victim("office", "steady", "batch")
        hour = client.opens if client.kind == "batch" else 13
        begin = self._workday() + hour * HOUR
        for _ in range(max(150, round(client.rate * 8))):
            at = begin + self._random.random() * HOUR
            self._planted.append(self._use(client, at, self._token_at(client, at)))
        return self._misuse("R04", client.name, begin, begin + HOUR)

    def _night(self) -> Misuse:
        """R05: an office's client in the middle of the night."""
        client = self._victim("office", tokens=False)
        begin = self._workday() + self._random.choice((1, 2, 23)) * HOUR
        for _ in range(12):
            at = begin + self._random.random() * HOUR
            self._planted.append(self._use(client, at, f"key-{client.name}"))
        return self._misuse("R05", client.name, begin, begin + HOUR)

    def _guessed(self) -> Misuse:
        """R06: forty guesses, then a good one."""
        client = self._victim(tokens=False)
        begin = self._workday() + 10 * HOUR
        address = self._address()
        for guess in range(40):
            use = self._use(client, begin + guess * 5, f"guess-{guess}", address)
            self._planted.append(replace(use, status=401, error_code="900901", client=None))
        self._planted.append(self._use(client, begin + 205, f"key-{client.name}", address))
        return self._misuse("R06", client.name, begin, begin + 205)

    def _ended(self) -> Misuse:
        """R07: a revoked token is tried again and again."""
        client = self._victim(tokens=True)
        begin = self._workday() + client.opens * HOUR + 1000
        token = f"{client.name}-revoked"
        self._planted += [
            TokenEvent(
                at=begin,
                kind="issued",
                token_ref=token,
                client=client.name,
                expires_at=begin + _LIFE,
            ),
            self._use(client, begin + 5, token),
            TokenEvent(at=begin + 60, kind="revoked", token_ref=token, client=client.name),
        ]
        for call in range(25):
            use = self._use(client, begin + 120 + call * 30, token)
            self._planted.append(replace(use, status=401, error_code="900904"))
        return self._misuse("R07", client.name, begin, begin + 900)

    def _churned(self) -> Misuse:
        """R08: sixty tokens in an hour, of which few are used."""
        client = self._victim(tokens=True)
        begin = self._workday() + client.opens * HOUR
        for number in range(60):
            token, at = f"{client.name}-churn-{number}", begin + number * 60
            self._planted.append(
                TokenEvent(
                    at=at, kind="issued", token_ref=token, client=client.name, expires_at=at + _LIFE
                )
            )
            if number % 10 == 0:
                self._planted.append(self._use(client, at + 1, token))
        return self._misuse("R08", client.name, begin, begin + 2 * HOUR)

    def _unused(self) -> Misuse:
        """R09: tokens for a client that is not there just then."""
        client = self._victim("batch", "seldom", tokens=True)
        begin = self._workday() + 8 * HOUR
        for number in range(10):
            at = begin + number * 600
            self._planted.append(
                TokenEvent(
                    at=at,
                    kind="issued",
                    token_ref=f"{client.name}-idle-{number}",
                    client=client.name,
                    expires_at=at + _LIFE,
                )
            )
        return self._misuse("R09", client.name, begin, begin + 3 * HOUR)

    def _old(self) -> Misuse:
        """R10: a key that was issued more than a year ago."""
        client = self._victim(tokens=False)
        client.key_age = 400
        return self._misuse("R10", client.name, START, START + self._days * DAY)

    def _harvested(self) -> Misuse:
        """R11: keys of several clients are tried from one address."""
        victims: list[Client] = []
        while len(victims) < 6:
            client = self._victim(tokens=False)
            if client not in victims:
                victims.append(client)
        begin, address = self._workday() + 12 * HOUR + 60, self._address()
        for number, client in enumerate(victims):
            for call in range(3):
                at = begin + number * 300 + call
                self._planted.append(self._use(client, at, f"key-{client.name}", address))
        return Misuse(
            rule="R11",
            whose=frozenset({address, *(client.name for client in victims)}),
            begin=begin,
            end=begin + HOUR,
        )

    def _other_agent(self) -> Misuse:
        """R12: the key in another program, in the client's own network."""
        client = self._victim("office", "batch", "steady", tokens=False)
        begin = self._workday() + client.opens * HOUR + 600
        for call in range(5):
            self._planted.append(
                self._use(client, begin + call * 9, f"key-{client.name}", agent="curl/8.5")
            )
        return self._misuse("R12", client.name, begin, begin + 45)

    def _silent(self) -> Misuse:
        """R13: a client that is always there stops."""
        client = self._victim("steady")
        client.outages.clear()
        begin = self._workday() + 14 * HOUR
        client.stops = begin
        return self._misuse("R13", client.name, begin, begin + DAY)

    def _exported(self) -> Misuse:
        """R14: as many calls as ever, each with far more data."""
        client = self._victim("office", "steady", tokens=False)
        begin = self._workday() + 12 * HOUR
        for call in range(8):
            use = self._use(client, begin + 400 * call, f"key-{client.name}")
            size = int(client.size * client.rate * 4) + 8_000_000
            self._planted.append(replace(use, bytes_out=size))
        return self._misuse("R14", client.name, begin, begin + HOUR)
