"""The dashboard's section of token use in Chromium: nothing of a database runs, keys do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from gatewaylog.audit.store.install import install
from tests.audit.queries.conftest import add
from tests.reader.logs import complete, encoded, identity, incoming, write
from tests.system import hostile
from tests.system.browser import chromium, dashboard, opened
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.system

SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def log(tmp_path: Path) -> Path:
    lines = encoded(incoming(1)) + encoded(complete(1), 1)
    return write(tmp_path / "api.log", lines + hostile.lines())


@pytest.fixture
def database(tmp_path: Path) -> str:
    """A store whose every name is a payload, of clients that call often and are found by rules."""
    url = f"sqlite:///{tmp_path}/use.db"
    install(url)
    now = datetime.now(UTC)
    rows: list[dict[str, Any]] = []
    for number, payload in enumerate(hostile.PAYLOADS):
        name = payload.replace("\x00", "")
        names = {"vendor_name": name, "application_name": name, "api_client_key": name}
        address = {"remote_ip": f"192.0.2.{number}"}
        rows += [names | {"access_time": now - n * SECOND} for n in range(101 + number)]
        refused = address | {"status_code": 401}
        begin = now - timedelta(hours=1) - number * timedelta(minutes=20)
        rows += [refused | {"access_time": begin + n * SECOND} for n in range(25)]
        good = names | address | {"status_code": 200, "message_id": identity(1)[:-1] + f"{number}"}
        rows.append(good | {"access_time": begin + 30 * SECOND})
    rows[-1]["message_id"] = identity(1)
    add(url, rows)
    return url


def shown(page: Page) -> None:
    """Scroll to the section, and wait for all of it."""
    page.locator("#tokens").scroll_into_view_if_needed()
    expect(page.locator("#findings td").first).to_be_visible()
    expect(page.locator("#vendors td").first).to_be_visible()
    expect(page.locator("#tokens-told")).to_contain_text("as of")


def test_a_hostile_store_runs_nothing(browser: Browser, log: Path, database: str) -> None:
    with (
        dashboard(log, database=database) as address,
        opened(browser, address) as watched,
    ):
        page = watched.page
        shown(page)
        for name in ("vendors", "often", "accesses-legend", "findings"):
            expect(page.locator(f"#{name}")).to_contain_text("window.ran.push")
        expect(page.locator("#vendors")).to_contain_text(r"\u{202e}gnp.exe")
        for by in ("client", "vendor"):
            page.click(f"[data-by='{by}']")
            page.focus("#accesses svg")
            page.keyboard.press("ArrowLeft")
            expect(page.locator("#accesses-told")).to_contain_text("window.ran.push")
            assert watched.tripped() == []
        assert page.evaluate("Object.keys(Object.prototype)") == []


def test_keys_go_through_the_section_to_an_exchange(
    browser: Browser, log: Path, database: str
) -> None:
    with (
        dashboard(log, database=database) as address,
        opened(browser, address) as watched,
    ):
        page = watched.page
        shown(page)
        reached: list[str] = []
        page.focus("#vendors")
        for _ in range(8):
            reached.append(
                page.evaluate("document.activeElement.closest('[id]:not(svg)')?.id ?? 'body'")
            )
            page.keyboard.press("Tab")
        order = ["vendors", "often", "by", "accesses", "findings"]
        assert list(dict.fromkeys(reached))[: len(order)] == order
        page.locator("[data-by='client']").press("Enter")
        expect(page.locator("[data-by='client']")).to_have_attribute("aria-pressed", "true")
        rows = page.locator("#findings [data-exchange]")
        rows.first.focus()
        page.keyboard.press("ArrowDown")
        second = rows.nth(1).get_attribute("data-key")
        assert page.evaluate("document.activeElement.dataset.key") == second
        page.locator(f"#findings [data-exchange='{identity(1)}']").press("Enter")
        expect(page.locator("#exchange")).to_contain_text("/shop/1")
        page.keyboard.press("Escape")
        assert watched.tripped() == []


def test_nothing_is_asked_before_the_section_is_seen(
    browser: Browser, log: Path, database: str
) -> None:
    window = {"width": 1280, "height": 400}
    with (
        dashboard(log, database=database) as address,
        opened(browser, address, viewport=window) as watched,
    ):
        page = watched.page
        expect(page.locator("#tokens")).not_to_have_attribute("hidden", "")
        expect(page.locator("#tail [data-exchange]").first).to_be_visible()
        page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
        assert f"{address}stream?query=" in watched.asked
        assert f"{address}tokens" not in watched.asked
        assert page.locator("#vendors td").count() == 0
        shown(page)
        assert f"{address}tokens" in watched.asked


def test_a_page_without_a_database_has_no_such_section(browser: Browser, log: Path) -> None:
    with dashboard(log) as address, opened(browser, address) as watched:
        expect(watched.page.locator("#tail [data-exchange]").first).to_be_visible()
        expect(watched.page.locator("#tokens")).to_be_hidden()


def test_a_store_that_cant_be_asked_is_a_line_and_the_page_goes_on(
    browser: Browser, log: Path
) -> None:
    with (
        dashboard(log, database="sqlite:////nowhere/<img src=x>.db") as address,
        opened(browser, address) as watched,
    ):
        page = watched.page
        page.locator("#tokens").scroll_into_view_if_needed()
        told = page.locator("#tokens-failed")
        expect(told).to_contain_text("can't be asked: /nowhere/<img src=x>.db: No such file")
        assert told.get_attribute("role") == "status"
        rows = page.locator("#tail [data-exchange]")
        before = rows.count()
        with log.open("ab") as file:
            file.write(encoded(complete(3), 71))
        wait_for(lambda: rows.count() > before)
        assert watched.tripped() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_contrast(browser: Browser, log: Path, database: str, scheme: str) -> None:
    with (
        dashboard(log, database=database) as address,
        opened(browser, address, color_scheme=scheme) as watched,
    ):
        shown(watched.page)
        assert watched.pale() == []


def test_a_phone_scrolls_down_alone(browser: Browser, log: Path, database: str) -> None:
    wide = {"access_time": datetime.now(UTC), "vendor_name": "x" * 300}
    add(database, [wide | {"application_name": "y" * 300} for _ in range(500)])
    phone = {"viewport": {"width": 375, "height": 700}, "has_touch": True, "is_mobile": True}
    with (
        dashboard(log, database=database) as address,
        opened(browser, address, **phone) as watched,
    ):
        page = watched.page
        shown(page)
        page.locator("[data-by='client']").tap()
        page.focus("#accesses svg")
        page.keyboard.press("ArrowLeft")
        expect(page.locator("#accesses-told")).to_contain_text("xxx")
        assert page.evaluate("document.documentElement.scrollWidth") == 375
