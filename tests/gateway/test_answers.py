"""The gateway's own answers: complete for every failure, in two forms, with challenges."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest

from gatewaylog import errors
from gatewaylog.errors import Failure
from gatewaylog.gateway.answers import bad_request, refusal

FAILURES = [value for value in vars(errors).values() if isinstance(value, Failure)]
ANSWERED = [failure for failure in FAILURES if failure.status != 499]
KEYS = ["code", "type", "message", "description"]


@pytest.mark.parametrize("failure", ANSWERED, ids=lambda failure: failure.code)
def test_every_failure_has_a_body_in_both_forms(failure: Failure) -> None:
    headers, body = refusal(failure, None)
    assert (b"content-type", b"application/json") in headers
    told = json.loads(body)
    assert list(told) == KEYS
    assert (told["code"], told["message"]) == (failure.code, failure.message)
    assert told["description"]
    headers, body = refusal(failure, b"application/xml")
    assert (b"content-type", b"application/xml") in headers
    fault = ET.fromstring(body)
    assert [child.tag.removeprefix("{http://wso2.org/apimanager}") for child in fault] == KEYS
    assert [child.text for child in fault] == list(told.values())


@pytest.mark.parametrize("failure", ANSWERED, ids=lambda failure: failure.code)
def test_every_401_challenges_and_nothing_but_credentials_does(failure: Failure) -> None:
    headers, _ = refusal(failure, None)
    challenges = [value for name, value in headers if name == b"www-authenticate"]
    if failure.status == 401:
        assert len(challenges) == 1
    assert challenges == [] or failure.source == errors.AUTH


@pytest.mark.parametrize(
    ("accept", "xml"),
    [
        (b"text/xml", True),
        (b"text/*, application/json;q=0.5", False),
        (b"application/xml, application/json", False),
        (b"application/xml;q=1, */*;q=0.1", True),
        (b"application/xml;q=0", False),
        (b"application/xml;q=nonsense, application/json;q=0.1", False),
        (b"APPLICATION/XML ; Q=0.9, application/json;q=0.2", True),
        (b",;,xml", False),
        (b"", False),
    ],
)
def test_xml_comes_where_it_is_liked_better_than_json(accept: bytes, *, xml: bool) -> None:
    headers, _ = refusal(errors.NOT_FOUND, accept)
    assert ((b"content-type", b"application/xml") in headers) == xml


def test_what_no_application_is_asked_about_gets_a_whole_answer() -> None:
    answer = bad_request([(b"accept", b"text/xml")], (b"x-more", b"1"))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/xml\r\n")
    assert b"\r\nx-more: 1\r\n" in head
    assert b"\r\ncontent-length: %d\r\n" % len(body) in head
    assert head.endswith(b"\r\nconnection: close")
    assert ET.fromstring(body)[0].text == "400"
