"""The error table is the specification's."""

from __future__ import annotations

import pytest

from gatewaylog import errors
from gatewaylog.errors import Failure

# docs: the log's contract, "Error sources and codes".
TABLE = """
main | 404 | 404 | Not Found
main | 400 | 400 | Bad Request
main | 403 | 403 | Forbidden
fault | 404 | 404 | No matching resource found for given API Request
fault | 405 | 405 | Method not allowed for given API resource
fault | 400 | 400 | Bad Request
fault | 408 | 408 | Request Timeout
fault | 413 | 413 | Content Too Large
fault | 700700 | 503 | API blocked
fault | 101001 | 499 | Client closed the connection
fault | 101000 | 499 | Client closed the connection before an answer
fault | 101503 | 502 | Error connecting to the back end
fault | 101508 | 504 | Connection timeout
fault | 101504 | 504 | Send timeout
fault | 101505 | 502 | Connection closed by the back end
fault | 101506 | 502 | Protocol violation by the back end
fault | 101500 | 502 | Error in Sender
fault | 303001 | 503 | Endpoint suspended
fault | 101507 | 503 | Gateway shutting down
fault | 101599 | 503 | Log unavailable
fault | 500 | 500 | Internal Server Error
_auth_failure_handler_ | 900900 | 500 | Unclassified Authentication Failure
_auth_failure_handler_ | 900901 | 401 | Invalid Credentials
_auth_failure_handler_ | 900902 | 401 | Missing Credentials
_auth_failure_handler_ | 900903 | 401 | Access Token Expired
_auth_failure_handler_ | 900904 | 401 | Access Token Inactive
_auth_failure_handler_ | 900905 | 401 | Incorrect Access Token Type is provided
_auth_failure_handler_ | 900908 | 403 | Resource forbidden
_auth_failure_handler_ | 900909 | 401 | The subscription to the API is inactive
_auth_failure_handler_ | 900910 | 403 | The access token does not allow you to access the requested resource
_throttle_out_handler_ | 900800 | 429 | Message throttled out
_throttle_out_handler_ | 900802 | 429 | Resource level throttled out
_throttle_out_handler_ | 900803 | 429 | Application level throttled out
_throttle_out_handler_ | 900804 | 429 | Subscription level throttled out
"""  # noqa: E501 - a table's row is one line
ROWS = {tuple(row.split(" | ")) for row in TABLE.strip().splitlines()}
FAILURES = {name: value for name, value in vars(errors).items() if isinstance(value, Failure)}


def row(failure: Failure) -> tuple[str, ...]:
    return failure.source, failure.code, str(failure.status), failure.message


@pytest.mark.parametrize("name", FAILURES)
def test_each_failure_is_a_row_of_the_specification(name: str) -> None:
    assert row(FAILURES[name]) in ROWS


def test_each_row_is_one_failure() -> None:
    made = [row(failure) for failure in FAILURES.values()]
    assert len(made) == len(set(made))
    assert set(made) == ROWS
