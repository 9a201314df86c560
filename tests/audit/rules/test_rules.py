"""Each rule fires on its case, and not on what comes near it."""

from __future__ import annotations

from typing import Any

import pytest

from gatewaylog.audit.rules import RULES, Severity, TokenUse, limits_of, rules
from gatewaylog.audit.rules.after_the_end import AfterTheEnd
from gatewaylog.audit.rules.burst import Burst
from gatewaylog.audit.rules.churn import Churn
from gatewaylog.audit.rules.guessing import Guessing
from gatewaylog.audit.rules.networks import network_of
from gatewaylog.audit.rules.never_used import NeverUsed
from gatewaylog.audit.rules.new_network import NewNetwork
from gatewaylog.audit.rules.old_credential import OldCredential
from gatewaylog.audit.rules.records import TokenEvent
from gatewaylog.audit.rules.several_networks import SeveralNetworks
from gatewaylog.audit.rules.shared_address import SharedAddress
from gatewaylog.audit.rules.silence import Silence
from gatewaylog.audit.rules.too_fast import TooFast
from gatewaylog.audit.rules.unusual_hours import UnusualHours
from gatewaylog.audit.rules.user_agent import UserAgent, product_of
from gatewaylog.audit.rules.volume import Volume
from tests.audit.rules.rows import (
    AWAY,
    HOME,
    Row,
    at,
    fires,
    found,
    history,
    issued,
    refused,
    use,
)

PLACES = {
    HOME: (52.4, 4.9),
    AWAY: (40.7, -74.0),
    "192.0.2.250": (52.4, 4.9),
    "203.0.113.1": (50.8, 4.4),
}


# R01


def test_r01_a_token_that_is_used_here_there_and_here_again() -> None:
    there = use(at(5, 12, 30), remote_ip=AWAY)
    here = [use(at(5, 12)), use(at(5, 12, 60))]
    finding = fires(SeveralNetworks(), history(5), here, there)
    assert finding.severity == Severity.HIGH
    assert finding.rows == (here[0].message_id, there.message_id, here[1].message_id)


def test_r01_near_a_client_that_moves_and_does_not_come_back() -> None:
    assert not found(
        SeveralNetworks(), history(5), use(at(5, 12)), use(at(5, 12, 30), remote_ip=AWAY)
    )


def test_r01_near_a_client_that_moves_and_stays() -> None:
    there = [use(at(5, 12, 30), remote_ip=AWAY), use(at(5, 12, 60), remote_ip=AWAY)]
    assert not found(SeveralNetworks(), history(5), use(at(5, 12)), there)


def test_r01_near_an_hour_lies_between_the_networks() -> None:
    moved = use(at(5, 12, 30), remote_ip=AWAY)
    assert not found(SeveralNetworks(), history(5), use(at(5, 12)), moved, use(at(5, 13, 30)))


def test_r01_near_another_address_of_the_same_network() -> None:
    there = use(at(5, 12, 30), remote_ip="192.0.2.99")
    assert not found(SeveralNetworks(), history(5), use(at(5, 12)), there, use(at(5, 12, 60)))


def test_r01_near_two_tokens_each_from_its_own_network() -> None:
    there = use(at(5, 12, 30), remote_ip=AWAY, token_ref="other")
    assert not found(SeveralNetworks(), history(5), use(at(5, 12)), there, use(at(5, 12, 60)))


def test_r01_near_a_client_that_has_two_sites() -> None:
    there = history(5, hours=range(8, 18), remote_ip=AWAY)
    rows = found(SeveralNetworks(), history(5), there)
    assert not rows


def test_r01_near_a_client_that_nobody_knows_yet() -> None:
    rows = [use(at(0, 12)), use(at(0, 12, 30), remote_ip=AWAY), use(at(0, 12, 60))]
    assert not found(SeveralNetworks(), rows)


# R02


def test_r02_a_first_call_from_a_new_network() -> None:
    new = use(at(8, 12), remote_ip=AWAY)
    finding = fires(NewNetwork(), history(8), new)
    assert (finding.client, finding.rows) == ("shop", (new.message_id,))


def test_r02_near_a_client_without_seven_days_of_history() -> None:
    assert not found(NewNetwork(), history(6), use(at(6, 12), remote_ip=AWAY))


def test_r02_near_another_address_of_a_known_network() -> None:
    assert not found(NewNetwork(), history(8), use(at(8, 12), remote_ip="192.0.2.77"))


def test_r02_near_a_call_that_was_refused() -> None:
    assert not found(NewNetwork(), history(8), refused(at(8, 12), remote_ip=AWAY, client="shop"))


def test_r02_near_a_client_that_roams() -> None:
    roaming = [row for net in range(4) for row in history(2, [9], remote_ip=f"10.0.{net}.1")]
    assert not found(NewNetwork(), history(8), roaming, use(at(8, 12), remote_ip=AWAY))


# R03


def flights() -> TooFast:
    return TooFast(locate=PLACES.get)


def test_r03_two_calls_an_ocean_apart_within_an_hour() -> None:
    rows = [use(at(5, 12)), use(at(5, 13), remote_ip=AWAY)]
    finding = fires(flights(), history(5), rows)
    assert finding.severity == Severity.HIGH
    assert "5862 km" in finding.detail
    assert finding.rows == (rows[0].message_id, rows[1].message_id)


def test_r03_near_as_long_between_them_as_an_aeroplane_takes() -> None:
    last = use(at(5, 12))
    assert not found(flights(), history(5), last, use(at(5, 20), remote_ip=AWAY))


def test_r03_near_two_addresses_of_one_country() -> None:
    assert not found(flights(), history(5), use(at(5, 12, 1), remote_ip="203.0.113.1"))


def test_r03_near_an_address_that_no_file_knows() -> None:
    assert not found(flights(), history(5), use(at(5, 12, 1), remote_ip="198.18.0.1"))


def test_r03_near_no_file_is_given() -> None:
    assert not found(TooFast(), history(5), use(at(5, 12, 1), remote_ip=AWAY))


def test_r03_near_a_client_with_a_site_on_either_side() -> None:
    there = history(5, hours=range(8, 18, 4), remote_ip=AWAY)
    assert not [one for one in found(flights(), history(5), there) if one.at > at(3)]


# R04


def many(calls: int, day: int = 5) -> list[Row]:
    return [use(at(day, 12, 3 * call)) for call in range(calls)]


def test_r04_a_burst_over_what_the_client_ever_makes() -> None:
    finding = fires(Burst(), history(5, calls=6), many(101))
    assert finding.detail == "101 calls in this hour, where 6 are usual"


def test_r04_near_a_hundred_calls() -> None:
    assert not found(Burst(), history(5, calls=6), many(100))


def test_r04_near_a_client_that_makes_as_many_each_night() -> None:
    nights = [use(at(day, 2, 3 * call)) for day in range(5) for call in range(100)]
    assert not found(Burst(), history(5, calls=6), nights, many(250))


def test_r04_near_a_client_that_is_new() -> None:
    assert not found(Burst(), history(2, calls=6), many(1000, day=2))


def test_r04_bursts_do_not_make_the_next_one_usual() -> None:
    bursts = [many(300, day) for day in (5, 6, 7)]
    assert len(found(Burst(), history(8, calls=6), *bursts)) == 3


# R05


def at_hour(hour: int, calls: int = 5) -> list[Row]:
    return [use(at(8, hour, 60 * call)) for call in range(calls)]


def test_r05_calls_in_the_night_of_an_office_client() -> None:
    finding = fires(UnusualHours(), history(8), at_hour(2))
    assert "5 calls at 02:00 UTC, 6 hours from any" in finding.detail
    assert len(finding.rows) == 5


def test_r05_near_a_single_call() -> None:
    assert not found(UnusualHours(), history(8), at_hour(2, calls=4))


def test_r05_near_an_evening_that_became_longer() -> None:
    assert not found(UnusualHours(), history(8), at_hour(19))


def test_r05_near_a_client_of_a_few_days() -> None:
    assert not found(UnusualHours(), history(5), at_hour(2))


def test_r05_near_a_client_that_is_there_at_all_hours() -> None:
    assert not found(UnusualHours(), history(8, hours=range(4, 21)), at_hour(0))


# R06


def guesses(count: int, **values: Any) -> list[Row]:
    return [refused(at(1, 12, 10 * n), token_ref=f"g{n}", **values) for n in range(count)]


def test_r06_many_refusals_and_then_a_success() -> None:
    finding = fires(Guessing(), guesses(20), use(at(1, 12, 300)))
    assert (finding.client, finding.severity) == ("shop", Severity.HIGH)
    assert finding.detail.startswith("20 refusals from 192.0.2.1")


def test_r06_a_client_that_is_known_and_is_refused_until_it_is_not() -> None:
    assert found(Guessing(), guesses(20, client="shop", status=403), use(at(1, 12, 300)))


@pytest.mark.parametrize(
    ("count", "client", "after", "address"),
    [
        (19, None, 300, HOME),  # too few
        (20, None, 900, HOME),  # too long ago
        (20, None, 300, AWAY),  # from elsewhere
        (20, "other", 300, HOME),  # of another client behind the same address
    ],
)
def test_r06_near(count: int, client: str | None, after: int, address: str) -> None:
    tried = guesses(count, client=client)
    assert not found(Guessing(), tried, use(at(1, 12, after), remote_ip=address))


def test_r06_near_refusals_without_a_success() -> None:
    assert not found(Guessing(), guesses(50), use(at(1, 12, 600), status=500), until=at(2))


# R07


def ended(count: int) -> list[Row]:
    return [
        refused(at(1, 13, 60 * n), token_ref="t", client="shop", error_code="900903")
        for n in range(count)
    ]


def test_r07_an_ended_token_that_is_tried_again_and_again() -> None:
    finding = fires(AfterTheEnd(), issued(at(1, 12), "t"), ended(10))
    assert (finding.client, finding.severity) == ("shop", Severity.MEDIUM)


def test_r07_near_a_client_that_learns_of_the_end() -> None:
    assert not found(AfterTheEnd(), issued(at(1, 12), "t"), ended(9))


def test_r07_near_as_many_over_a_day() -> None:
    rows = [refused(at(1, n), token_ref="t", error_code="900904") for n in range(20)]
    assert not found(AfterTheEnd(), rows)


def test_r07_a_revoked_token_that_is_good_still() -> None:
    revoked = TokenEvent(at=at(1, 12, 60), kind="revoked", token_ref="t", client="shop")
    rows: list[Row] = [
        issued(at(1, 12), "t"),
        revoked,
        use(at(1, 12, 121), token_ref="t", client=None),
    ]
    finding = fires(AfterTheEnd(), *rows, until=at(12))
    assert (finding.client, finding.severity) == ("shop", Severity.HIGH)


def test_r07_near_a_call_within_the_time_that_caches_take() -> None:
    revoked = TokenEvent(at=at(1, 12, 60), kind="revoked", token_ref="t")
    assert not found(
        AfterTheEnd(), issued(at(1, 12), "t"), revoked, use(at(1, 12, 119), token_ref="t")
    )


# R08 and R09


def tokens(count: int, used: int, hour: float = 12) -> list[Row]:
    rows: list[Row] = [issued(at(1, hour, n), f"t{n}") for n in range(count)]
    return rows + [use(at(1, hour, 600), token_ref=f"t{n}") for n in range(used)]


def test_r08_many_tokens_of_which_few_are_used() -> None:
    finding = fires(Churn(), *tokens(20, 9), until=at(1, 14))
    assert finding.detail == "20 tokens issued in 2 hours, 9 used"


@pytest.mark.parametrize(("count", "used"), [(19, 0), (20, 10), (200, 200)])
def test_r08_near(count: int, used: int) -> None:
    assert not found(Churn(), *tokens(count, used), until=at(1, 16))


def test_r09_tokens_that_end_unused() -> None:
    finding = fires(
        NeverUsed(),
        *tokens(3, 1),
        *tokens(2, 0, hour=12.5),
        issued(at(1, 14), "u"),
        issued(at(1, 14, 1), "v"),
        issued(at(1, 14, 2), "w"),
        until=at(1, 17),
    )
    assert "were never used" in finding.detail


@pytest.mark.parametrize(("count", "used"), [(2, 0), (6, 3)])
def test_r09_near(count: int, used: int) -> None:
    assert not found(NeverUsed(), *tokens(count, used), until=at(2))


def test_r09_near_tokens_that_have_not_ended() -> None:
    assert not found(NeverUsed(), *tokens(10, 0), until=at(1, 12, 1700))


# R10


def test_r10_a_key_that_was_issued_more_than_a_year_ago() -> None:
    key = issued(at(0), "key-of-shop", life=None)
    assert "366 days old" in fires(OldCredential(), key, use(at(366))).detail


def test_r10_a_key_that_is_seen_for_more_than_a_year() -> None:
    rows = [use(at(day)) for day in range(0, 370, 2)]
    assert fires(OldCredential(), rows[:184]).client == "shop"


@pytest.mark.parametrize("days", [1, 364, 365])
def test_r10_near_a_key_of_up_to_a_year(days: int) -> None:
    assert not found(OldCredential(), issued(at(0), "key-of-shop", life=None), use(at(days)))


def test_r10_near_a_token_that_ended_and_comes_again() -> None:
    """Its name is forgotten: what lived for less than a day is a token, not a key."""
    assert not found(OldCredential(), [use(at(0, 12)), use(at(0, 13)), use(at(9)), use(at(367))])


# R11


def strangers(count: int, days: int = 5, **values: Any) -> list[Row]:
    rows: list[Row] = []
    for n in range(count):
        who: dict[str, Any] = {"client": f"c{n}", "token_ref": f"k{n}"}
        rows += history(days, [9, 15], 1, **who | {"remote_ip": f"10.1.{n}.1"})
        rows.append(use(at(days, 12, n), **who | {"remote_ip": AWAY} | values))
    return rows


def test_r11_keys_of_many_clients_from_one_address() -> None:
    finding = fires(SharedAddress(), *strangers(4))
    assert finding.client == AWAY
    assert "c0, c1, c2, c3" in finding.detail


def test_r11_near_three_clients() -> None:
    assert not found(SharedAddress(), *strangers(3))


def test_r11_near_clients_that_are_always_behind_that_address() -> None:
    rows = [
        row
        for n in range(9)
        for row in history(6, client=f"c{n}", token_ref=f"k{n}", remote_ip=AWAY)
    ]
    assert not found(SharedAddress(), rows)


def test_r11_near_credentials_that_were_refused() -> None:
    assert not found(SharedAddress(), *strangers(9, status=401))


def test_r11_near_clients_that_come_one_after_the_other() -> None:
    rows = strangers(6)
    assert not found(
        SharedAddress(),
        *(row for row in rows if isinstance(row, TokenUse) and row.remote_ip != AWAY),
        *(use(at(5, n), client=f"c{n}", token_ref=f"k{n}", remote_ip=AWAY) for n in range(6)),
    )


# R12


def test_r12_the_key_in_another_program() -> None:
    finding = fires(UserAgent(), history(8), use(at(8, 12), user_agent="curl/8.5"))
    assert finding.detail == "first call by curl, after 1 others"
    assert "no user agent" in fires(UserAgent(), history(8), use(at(8), user_agent=None)).detail


@pytest.mark.parametrize("agent", ["okhttp/5.0", "OkHttp", "okhttp (Linux)"])
def test_r12_near_another_version(agent: str) -> None:
    assert not found(UserAgent(), history(8), use(at(8, 12), user_agent=agent))


def test_r12_near_a_client_of_six_days() -> None:
    assert not found(UserAgent(), history(6), use(at(6, 12), user_agent="curl/8.5"))


def test_r12_near_a_client_that_has_several_programs() -> None:
    other = history(8, [9], user_agent="Mozilla/5.0")
    assert not found(UserAgent(), history(8), other, use(at(8, 12), user_agent="curl/8.5"))


def test_a_product_is_the_first_word_without_its_version() -> None:
    assert product_of(" Mozilla/5.0 (X11)") == "mozilla"
    assert product_of(None) == ""


# R13

ALWAYS = range(24)


def others(days: int, until: int = 24) -> list[Row]:
    rows: list[Row] = list(history(days, ALWAYS, calls=1, client="other", token_ref="o"))
    return rows + [use(at(days, h), client="other", token_ref="o") for h in range(until)]


def test_r13_a_client_that_is_always_there_and_is_not() -> None:
    finding = fires(Silence(), history(8, ALWAYS, calls=1), *others(8))
    assert (finding.client, finding.at) == ("shop", at(8, 6))


def test_r13_near_five_hours_of_silence() -> None:
    back = use(at(8, 5, 1800))
    rows = found(Silence(), history(8, ALWAYS, calls=1), back, *others(8, until=11))
    assert not rows


def test_r13_near_a_client_that_has_its_nights() -> None:
    assert not found(Silence(), history(8, range(7, 24), calls=1), *others(8))


def test_r13_near_a_client_that_was_away_once_in_the_week() -> None:
    rows = [row for row in history(8, ALWAYS, calls=1) if row.at != at(4, 3)]
    assert not found(Silence(), rows, *others(8))


def test_r13_near_a_gateway_that_is_down() -> None:
    rows = [history(8, ALWAYS, calls=1, client=f"c{n}", token_ref=f"k{n}") for n in range(5)]
    assert not found(Silence(), *rows, until=at(9))


# R14


def test_r14_more_data_than_the_client_ever_takes() -> None:
    finding = fires(Volume(), history(5), use(at(5, 12), bytes_out=10_000_001))
    assert finding.detail == "10.0 MB in this hour, where 0.0 MB are usual"


def test_r14_near_ten_megabytes() -> None:
    assert not found(Volume(), history(5), use(at(5, 12), bytes_out=10_000_000))


def test_r14_near_a_client_that_takes_as_much_each_night() -> None:
    nights = [use(at(day, 2), bytes_out=5_000_000) for day in range(5)]
    assert not found(Volume(), history(5), nights, use(at(5, 12), bytes_out=19_000_000))


def test_r14_near_sizes_that_are_not_kept() -> None:
    assert not found(Volume(), history(5), use(at(5, 12), bytes_out=None))


# All of them


def test_what_is_no_address_is_a_network_of_its_own() -> None:
    assert network_of("unix") == "unix"
    assert network_of("2001:db8:1:2::1") == network_of("2001:db8:1:3::9") == "2001:db8:1::/48"


def test_a_finding_is_told_once_in_24_hours_and_again_where_it_is_worse() -> None:
    rows: list[Row | list[Row]] = [
        issued(at(1, 12), "t"),
        ended(30),
        use(at(1, 14), token_ref="t"),
        use(at(1, 15), token_ref="t"),
        use(at(2, 15), token_ref="t"),
    ]
    severities = [one.severity for one in found(AfterTheEnd(), *rows)]
    assert severities == [Severity.MEDIUM, Severity.HIGH, Severity.HIGH]


@pytest.mark.parametrize("name", RULES)
def test_no_rule_minds_rows_of_which_little_is_known(name: str) -> None:
    (rule,) = rules(disabled=set(RULES) - {name}, locate=PLACES.get)
    bare = [
        use(at(day, 12), client=None, remote_ip=None, user_agent=None, status=None, bytes_out=None)
        for day in range(9)
    ]
    assert not found(rule, bare, TokenEvent(at=at(2), kind="refused", token_ref="r"), until=at(20))


def test_a_log_that_was_silent_for_years_is_gone_over_quickly() -> None:
    assert not found(Silence(), use(at(0)), use(at(4000)))


def test_thresholds_are_given_by_rule_and_name() -> None:
    made = rules(thresholds={"R04": {"least": 7, "factor": 1.5}}, disabled=["R01"])
    assert [rule.id for rule in made] == [f"R{number:02d}" for number in range(2, 15)]
    (burst,) = (rule for rule in made if rule.id == "R04")
    assert (burst.limits.least, burst.limits.factor, burst.limits.days) == (7.0, 1.5, 14)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"lest": 3}, "lest: R04 has no such threshold: deviations, factor, least"),
        ({"least": -1}, "least: must be a number, 0 or more"),
        ({"days": 1.5}, "days: must be a whole number, 0 or more"),
    ],
)
def test_thresholds_that_can_not_be_are_refused(wrong: dict[str, float], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        limits_of("R04", wrong)


@pytest.mark.parametrize("rule", RULES)
def test_one_threshold_changes_none_of_the_others(rule: str) -> None:
    usual = RULES[rule].default
    for name in type(usual).__dataclass_fields__:
        limits = limits_of(rule, {name: 7})
        changed = {
            one for one in type(usual).__dataclass_fields__ if _of(limits, one) != _of(usual, one)
        }
        assert _of(limits, name) == 7
        assert changed <= {name}


def _of(limits: object, name: str) -> float:
    value: float = getattr(limits, name)
    return value
