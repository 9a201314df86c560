"""Which backend is tried, and which is left alone."""

from __future__ import annotations

import pytest

from gatewaylog.gateway.apis import Api
from gatewaylog.gateway.backends import Backend
from gatewaylog.gateway.balance import Balancer
from gatewaylog.gateway.upstream import Origin


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def backend(name: str) -> Backend:
    origin = Origin(host=name, port=80)
    return Backend(
        url=f"http://{name}", base=f"http://{name}", path=b"", host=name.encode(), origin=origin
    )


A, B, C = (backend(name) for name in "abc")


def api(
    *backends: Backend, balance: str = "round_robin", retries: int = 1, suspend: float = 10
) -> Api:
    return Api(
        label="x",
        context=b"",
        backends=backends,
        balance=balance,
        retries=retries,
        suspend=suspend,
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def balancer(clock: Clock) -> Balancer:
    return Balancer(clock)


def test_each_exchange_begins_with_the_next_backend(balancer: Balancer) -> None:
    three = api(A, B, C)
    assert [list(balancer.attempts(three)) for _ in range(4)] == [[A, B], [B, C], [C, A], [A, B]]


def test_failover_begins_with_the_first_that_is_well(balancer: Balancer) -> None:
    three = api(A, B, C, balance="failover", retries=2)
    assert list(balancer.attempts(three)) == [A, B, C]
    balancer.suspend(api(suspend=10), A)
    assert list(balancer.attempts(three)) == [B, C, B]


def test_a_single_backend_is_tried_again(balancer: Balancer) -> None:
    assert list(balancer.attempts(api(A, retries=2))) == [A, A, A]
    assert list(balancer.attempts(api(A, retries=0))) == [A]


def test_each_api_takes_its_own_turns(balancer: Balancer) -> None:
    one = Api(label="one", context=b"", backends=(A, B), retries=0)
    two = Api(label="two", context=b"", backends=(A, B), retries=0)
    assert [list(balancer.attempts(each)) for each in (one, two, one, two)] == [[A], [A], [B], [B]]


def test_a_suspended_backend_comes_back_when_its_time_is_over(
    balancer: Balancer, clock: Clock
) -> None:
    alone = api(A)
    balancer.suspend(api(suspend=10), A)
    assert list(balancer.attempts(alone)) == []
    assert balancer.suspended() == [A.url]
    clock.now += 9.9
    assert list(balancer.attempts(alone)) == []
    clock.now += 0.2
    assert list(balancer.attempts(alone)) == [A, A]
    assert balancer.suspended() == []


def test_retry_after_is_whole_seconds_until_the_first_one_comes_back(
    balancer: Balancer, clock: Clock
) -> None:
    balancer.suspend(api(suspend=10.2), A)
    balancer.suspend(api(suspend=5.1), B)
    assert balancer.retry_after(api(A, B)) == 6
    clock.now += 5
    assert balancer.retry_after(api(A, B)) == 1


def test_no_time_suspends_nothing(balancer: Balancer) -> None:
    balancer.suspend(api(suspend=0), A)
    assert list(balancer.attempts(api(A))) == [A, A]


def test_what_one_api_suspends_is_left_to_the_others(balancer: Balancer) -> None:
    one, two = (
        Api(label=label, context=b"", backends=(A,), retries=0, suspend=10) for label in ("a", "b")
    )
    balancer.suspend(one, A)
    assert balancer.attempts(one) == ()
    assert balancer.attempts(two) == (A,)
    assert balancer.suspended() == [A.url]
