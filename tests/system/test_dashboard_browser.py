"""The dashboard as Chromium shows it: nothing of a log runs, and every view answers to keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.reader.logs import complete, encoded, error, incoming, write
from tests.system import hostile
from tests.system.browser import chromium, dashboard, opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Two whole exchanges, one of them an error, one without its end, and an unmatched URL."""
    unmatched = error(None, error_source="main", api=None, request_in_url="/nowhere")
    ended = complete(
        1, request_in_url="/shop/1", request_in_method="GET", request_out_method="GET",
        request_out_url="http://backend/1", backend_ms=4.0,
    )  # fmt: skip
    lines = (
        encoded(incoming(1)),
        encoded(ended, 1),
        encoded(incoming(2), 2),
        encoded(error(2, error_message="Send timeout", error_code="101504"), 3),
        encoded(incoming(3), 4),
        encoded(unmatched, 5),
        encoded(incoming(4, api="acme--News:v2"), 70),
    )
    return write(tmp_path / "api.log", b"".join(lines))


def ask(page: Page, query: str) -> None:
    page.fill("#query", query)
    page.press("#query", "Enter")


@pytest.mark.parametrize("form", ["wso2", "json", "logfmt"])
def test_a_hostile_log_runs_nothing_in_any_view(
    browser: Browser, tmp_path: Path, form: str
) -> None:
    log = write(tmp_path / "api.log", hostile.lines(form))
    with dashboard(log) as address, opened(browser, address) as watched:
        page = watched.page
        for name in ("calls-legend", "results", "slowest", "unmatched", "orphans", "tail"):
            expect(page.locator(f"#{name}")).to_contain_text("window.ran.push")
        page.focus("#calls svg")
        page.keyboard.press("ArrowRight")
        expect(page.locator("#calls-told")).to_contain_text("window.ran.push")
        for name in ("15m", "all"):
            page.click(f"[data-window='{name}']")
        assert watched.tripped() == []
        for place in ("slowest", "orphans", "tail"):
            for number in range(4):
                page.locator(f"#{place} [data-exchange]").nth(number).click()
                expect(page.locator("#exchange-body .event").first).to_be_visible()
                assert watched.tripped() == []
                page.keyboard.press("Escape")
        with log.open("ab") as file:
            file.write(hostile.lines(form))
        lines = len(hostile.lines(form).splitlines())
        expect(page.locator("#state")).to_contain_text(f"{2 * lines} lines")
        assert watched.tripped() == []
        for query in (
            "* | stats count, values(UserAgent), list(Y) by API, RequestInURL",
            "* | rename API AS \"<img src=x onerror=window.ran.push('column')>\"",
            "* | head 100",
            "* | chart count by RequestInURL, API",
        ):
            ask(page, query)
            expect(page.locator("#tail td").first).to_be_visible()
            expect(page.locator("#tail-told")).to_contain_text("kept fresh")
            assert watched.tripped() == []
        for payload in hostile.PAYLOADS:
            ask(page, f"| {payload}")
            expect(page.locator("#refused")).to_contain_text("^")
            assert watched.tripped() == []


def test_hidden_and_turning_characters_are_written_out(browser: Browser, tmp_path: Path) -> None:
    line = encoded(incoming(1, request_in_url="/a\u202egnp.exe\u200b"))
    log = write(tmp_path / "api.log", line)
    with dashboard(log) as address, opened(browser, address) as watched:
        expect(watched.page.locator("#tail")).to_contain_text(r"/a\u{202e}gnp.exe\u{200b}")
        assert not re.search("[\u202e\u200b]", watched.page.inner_text("body"))


def test_an_exchange_opens_and_closes_by_keys_alone(browser: Browser, log: Path) -> None:
    with dashboard(log) as address, opened(browser, address) as watched:
        page = watched.page
        expect(page.locator("#tail [data-exchange]")).to_have_count(7)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('form, #tail') !== null")
        page.locator("#tail [data-exchange]").first.focus()
        for _ in range(5):
            page.keyboard.press("ArrowDown")
        focused = page.evaluate("document.activeElement.dataset.key")
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(outline) == "solid"
        page.keyboard.press("Enter")
        dialog = page.locator("#exchange")
        expect(dialog.locator(".event")).to_have_count(2)
        expect(dialog).to_contain_text("/shop/1")
        expect(dialog).to_contain_text("→ GET http://backend/1")
        expect(dialog.locator(".facts")).to_contain_text("took5.0 ms")
        expect(dialog.locator(".facts")).to_contain_text("between the events1000.0 ms")
        assert page.evaluate("document.querySelector('#exchange').contains(document.activeElement)")
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        assert page.evaluate("document.activeElement.dataset.key") == focused
        assert watched.tripped() == []


def test_tab_goes_through_the_page_from_top_to_bottom(browser: Browser, log: Path) -> None:
    with dashboard(log) as address, opened(browser, address) as watched:
        page = watched.page
        expect(page.locator("#tail [data-exchange]")).to_have_count(7)
        reached: list[str] = []
        for _ in range(60):
            page.keyboard.press("Tab")
            place = page.evaluate("document.activeElement.closest('[id]:not(svg)')?.id ?? 'body'")
            if reached and place == "body":
                break
            reached += [place] if place not in reached else []
        order = ["windows", "calls", "slowest", "unmatched", "orphans", "pause", "query", "tail"]
        assert [place for place in reached if place in order] == order


def test_keys_go_to_the_query_and_pause_the_tail(browser: Browser, log: Path) -> None:
    with dashboard(log) as address, opened(browser, address) as watched:
        page = watched.page
        rows = page.locator("#tail [data-exchange]")
        expect(rows).to_have_count(7)
        page.keyboard.press("p")
        expect(page.locator("#pause")).to_have_attribute("aria-pressed", "true")
        with log.open("ab") as file:
            file.write(encoded(complete(3), 71))
        expect(page.locator("#tail-told")).to_contain_text("1 waiting")
        expect(rows).to_have_count(7)
        page.keyboard.press("p")
        expect(rows).to_have_count(8)
        page.keyboard.press("/")
        page.keyboard.type("p")  # is text there
        expect(page.locator("#query")).to_have_value("p")
        expect(page.locator("#pause")).to_have_attribute("aria-pressed", "false")


def test_a_wrong_query_shows_its_caret_and_a_right_one_goes_on(browser: Browser, log: Path) -> None:
    with dashboard(log) as address, opened(browser, address) as watched:
        page = watched.page
        ask(page, "* | stats cuont")
        expect(page.locator("#refused")).to_contain_text("          ^^^^^")
        expect(page.locator("#query")).to_have_attribute("aria-invalid", "true")
        assert page.get_attribute("#refused", "role") == "alert"
        ask(page, "ERROR")
        expect(page.locator("#refused")).to_be_hidden()
        expect(page.locator("#tail [data-exchange]")).to_have_count(2)
        with log.open("ab") as file:
            file.write(encoded(error(4, error_message="later"), 72))
        expect(page.locator("#tail [data-exchange]")).to_have_count(3)
        assert watched.tripped() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_contrast(browser: Browser, log: Path, scheme: str) -> None:
    with dashboard(log) as address, opened(browser, address, color_scheme=scheme) as watched:
        page = watched.page

        expect(page.locator("#tail [data-exchange]")).to_have_count(7)
        assert watched.pale() == []
        page.locator("#tail [data-exchange]").last.click()
        expect(page.locator("#exchange-body .event")).to_have_count(2)
        assert watched.pale() == []
        page.keyboard.press("Escape")
        ask(page, "* | stats cuont")
        expect(page.locator("#refused")).to_be_visible()
        assert watched.pale() == []


def test_light_and_dark_are_the_readers_choice(browser: Browser, log: Path) -> None:
    back = "getComputedStyle(document.body).backgroundColor"
    with dashboard(log) as address:
        with opened(browser, address, color_scheme="light") as light:
            white = light.page.evaluate(back)
        with opened(browser, address, color_scheme="dark") as dark:
            assert dark.page.evaluate(back) != white


def test_a_phone_scrolls_down_alone(browser: Browser, tmp_path: Path) -> None:
    log = write(tmp_path / "api.log", hostile.lines() + encoded(incoming(1, api="x" * 300)))
    phone = {"viewport": {"width": 375, "height": 700}, "has_touch": True, "is_mobile": True}
    with dashboard(log) as address, opened(browser, address, **phone) as watched:
        page = watched.page
        wide = "document.documentElement.scrollWidth"
        expect(page.locator("#tail [data-exchange]").first).to_be_visible()
        assert page.evaluate(wide) == 375
        page.locator("#tail [data-exchange]").nth(3).tap()
        expect(page.locator("#exchange-body .event").first).to_be_visible()
        assert page.evaluate(wide) == 375
        body = "document.querySelector('#exchange').scrollWidth"
        assert page.evaluate(f"{body} <= 375")


def test_nothing_moves_by_itself(browser: Browser, log: Path) -> None:
    still = {"reduced_motion": "reduce"}
    with dashboard(log) as address, opened(browser, address, **still) as watched:
        watched.page.locator("#tail [data-exchange]").first.click()
        assert watched.page.evaluate("document.getAnimations().length") == 0


def test_the_page_goes_on_when_the_server_is_back(browser: Browser, log: Path) -> None:
    with dashboard(log) as address:
        context = opened(browser, address)
        watched = context.__enter__()
    try:
        page = watched.page
        expect(page.locator("#state")).to_contain_text("does not answer")
        with log.open("ab") as file:
            file.write(encoded(complete(3, api="came--Between:v1"), 80))
        with dashboard(log, port=int(address.rstrip("/").rpartition(":")[2])):
            expect(page.locator("#state")).to_contain_text("8 lines")
            expect(page.locator("#tail [data-exchange]")).to_have_count(8)
            expect(page.locator("#results")).to_contain_text("came--Between:v1")
    finally:
        context.__exit__(None, None, None)


def test_an_exchange_that_is_asked_of_a_server_that_is_gone_says_so(
    browser: Browser, log: Path
) -> None:
    with dashboard(log) as address:
        context = opened(browser, address)
        page = context.__enter__().page
        expect(page.locator("#tail [data-exchange]")).to_have_count(7)
    try:
        page.locator("#tail [data-exchange]").first.click()
        expect(page.locator("#exchange-body")).to_contain_text("does not answer")
    finally:
        context.__exit__(None, None, None)


def test_a_log_that_is_rotated_cut_or_taken_away_is_followed(browser: Browser, log: Path) -> None:
    with dashboard(log) as address, opened(browser, address) as watched:
        rows = watched.page.locator("#tail [data-exchange]")
        state = watched.page.locator("#state")
        expect(rows).to_have_count(7)
        log.rename(log.with_name("api.log.1"))
        log.write_bytes(encoded(incoming(11), 90))
        expect(rows).to_have_count(8)
        expect(state).to_contain_text("8 lines")
        log.write_bytes(encoded(error(11), 91))
        expect(rows).to_have_count(9)
        log.unlink()
        log.write_bytes(encoded(incoming(12), 92))
        expect(rows).to_have_count(10)
        expect(state).to_contain_text("10 lines")
        expect(watched.page.locator("#tail")).to_contain_text("/shop/12")
        assert watched.tripped() == []


def test_a_query_over_the_whole_log_finds_what_the_last_lines_lack(
    browser: Browser, tmp_path: Path
) -> None:
    first = encoded(error(None, error_source="main", api=None, request_in_url=hostile.PAYLOADS[1]))
    rest = (encoded(incoming(number), number / 100) for number in range(1, 6000))
    log = write(tmp_path / "api.log", first + b"".join(rest))
    with dashboard(log) as address, opened(browser, address) as watched:
        page = watched.page
        told, tail = page.locator("#tail-told"), page.locator("#tail")
        expect(page.locator("#query-told")).to_contain_text("the last 20,000 lines")
        ask(page, "ERROR")
        expect(tail).to_contain_text("Nothing yet")  # 5,000 lines are held at the start
        page.click("#whole")
        expect(told).to_contain_text("of the whole log")
        expect(tail.locator("[data-exchange]")).to_have_count(1)
        expect(tail).to_contain_text("<img src=x onerror=window.ran.push('img')>")
        page.fill("#query", "* | stats count by Event | sort Event")
        page.click("#whole")
        expect(tail.locator("tbody")).to_contain_text("INCOMING_REQUEST5999")
        with log.open("ab") as file:
            file.write(encoded(error(1, error_message="later"), 99))
        expect(page.locator("#state")).to_contain_text("6,001 lines")
        expect(tail.locator("tbody")).to_contain_text("INCOMING_REQUEST5999")  # it stays
        page.fill("#query", "* | stats cuont")
        page.click("#whole")
        expect(page.locator("#refused")).to_contain_text("^^^^^")
        ask(page, "ERROR")
        expect(tail).to_contain_text("later")
        assert watched.tripped() == []


def test_a_search_of_the_whole_log_is_stopped_by_its_button(
    browser: Browser, tmp_path: Path
) -> None:
    lines = (encoded(incoming(number), number / 1000) for number in range(150_000))
    log = write(tmp_path / "api.log", b"".join(lines))
    with dashboard(log) as address, opened(browser, address) as watched:
        page = watched.page
        page.fill("#query", "* | sort MessageID | dedup MessageID | head 5")
        page.click("#whole")
        expect(page.locator("#whole-told")).to_contain_text("searching the whole log")
        page.click("#whole")
        expect(page.locator("#whole-told")).to_have_text("stopped")
        expect(page.locator("#whole")).to_have_text("Search the whole log")
        assert watched.tripped() == []
