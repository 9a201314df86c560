"""The dashboard in headless Chromium, watched for anything that runs, breaks or leaves the page."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect, sync_playwright

from tests.cli.processes import started
from tests.requirements import program
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

# Set before any script of the page runs. What a payload calls is kept in `ran`.
_TRIPWIRES = """
window.ran = [];
window.refusedByPolicy = [];
for (const name of ["alert", "confirm", "prompt", "print", "open"]) {
  window[name] = () => { window.ran.push(name); };
}
document.addEventListener("securitypolicyviolation", (event) =>
  window.refusedByPolicy.push(`${event.violatedDirective} ${event.blockedURI}`));
"""
# What text from a log would make of the page if it were read as HTML.
_STRANGERS = """() => {
  const found = [...document.querySelectorAll(
    "img, iframe, object, embed, base, a[href]:not(.skip), script:not([src='static/main.js']),"
    + " style, video, audio, math, foreignObject, animate, set")];
  for (const one of document.querySelectorAll("*")) {
    if ([...one.attributes].some(({name, value}) =>
      name.startsWith("on") || name === "style" || (/(href|src|action|data)$/.test(name)
        && /^\\s*javascript:/i.test(value)))) found.push(one);
  }
  return found.map((one) => one.outerHTML.slice(0, 200));
}"""

_LEAST_CONTRAST = 4.5  # WCAG 2.2, 1.4.3
# The texts that can be seen, with less contrast than is due to what is behind them.
_PALE = """(least) => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((one) => one / 255)
    .map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
    .reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = rgb(getComputedStyle(node).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255];
  };
  const ratio = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  let looked = 0;
  const look = (text, node, style) => {
    const colour = rgb(node instanceof SVGElement ? style.fill : style.color);
    const seen = ratio(colour, behind(node));
    looked += 1;
    if (colour[3] < 255 || seen < least) found.push(`${seen.toFixed(2)}: ${text.slice(0, 40)}`);
  };
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.checkVisibility()) continue;
    if (node.closest("title")) continue;
    look(walker.currentNode.data, node, getComputedStyle(node));
  }
  const query = document.querySelector("#query");
  look(query.placeholder, query, getComputedStyle(query, "::placeholder"));
  return {found, looked};
}"""


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium; no sandbox, as tests run as root in containers."""
    path = program("chromium")
    expect.set_options(timeout=PATIENCE * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def dashboard(*logs: Path, port: int = 0, database: str = "") -> Iterator[str]:
    """Serve the page over logs, and over a store of token use; give its address."""
    arguments = [*map(str, logs), "--listen", f"127.0.0.1:{port}", "--database", database]
    with started("dashboard", *arguments, TZ="UTC") as process:
        yield process.reads(r"(http://\S+)\n")[1]


class Watched:
    """A page and what was seen of it that must not be."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.seen: list[str] = []
        self.asked: list[str] = []  # addresses, from the first on
        page.on("dialog", lambda dialog: self._dismissed(dialog))
        page.on("console", lambda said: self.seen.append(f"console: {said.text}"))
        page.on("pageerror", lambda error: self.seen.append(f"error: {error}"))
        page.on("popup", lambda _: self.seen.append("popup"))
        page.on("request", lambda asked: self._asked(asked.url, address))

    def _dismissed(self, dialog: Any) -> None:
        self.seen.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _asked(self, url: str, address: str) -> None:
        self.asked.append(url)
        if not url.startswith(address) and url != "data:,":
            self.seen.append(f"request: {url}")

    def tripped(self) -> list[str]:
        """Return what ran, broke, was refused by the policy, or stands in the page as HTML."""
        ran = self.page.evaluate("[...window.ran, ...window.refusedByPolicy]")
        return [*self.seen, *ran, *self.page.evaluate(_STRANGERS)]

    def pale(self) -> list[str]:
        """Return the texts that can be seen too badly."""
        seen = self.page.evaluate(_PALE, _LEAST_CONTRAST)
        assert seen["looked"] > 60
        return list(seen["found"])


@contextlib.contextmanager
def opened(browser: Browser, address: str, **options: Any) -> Iterator[Watched]:
    """Open the page and wait until the log is read."""
    context = browser.new_context(timezone_id="UTC", **options)
    context.set_default_timeout(PATIENCE * 1000)
    context.add_init_script(_TRIPWIRES)
    try:
        watched = Watched(context.new_page(), address)
        watched.page.goto(address)
        watched.page.wait_for_selector("#state.live")
        yield watched
    finally:
        context.close()
