// The stream from the server, and the keys.

import { byId, clock, count, element } from "./elements.js";
import { listenForExchanges } from "./exchange.js";
import { drawLists, drawTotals } from "./lists.js";
import { drawResults } from "./results.js";
import { cleared, pause, showEvents, showRefused, showTable } from "./tail.js";
import { TimeChart } from "./timechart.js";
import { showTokens } from "./tokens.js";
import { listenForWhole, stopWhole } from "./whole.js";

const WINDOWS = [["15m", "15 min"], ["1h", "1 h"], ["24h", "24 h"], ["all", "all"]];

const calls = new TimeChart("calls", { title: "Calls over time by API", noun: "calls" });
let source = null;
let figures = null;
let shownWindow = "all";

// The token has become a cookie; it need not stay where others see it.
if (location.search) history.replaceState(null, "", location.pathname);

function state(text, kind) {
  const place = byId("state");
  if (place.textContent !== text) place.textContent = text;
  place.className = kind;
}

function tellState() {
  if (figures.reading) state(`reading: ${Math.floor(figures.read * 100)} %`, "reading");
  else state(`live · ${count(figures.lines)} lines · last ${figures.newest === null ? "-"
    : clock(figures.newest, false)}`, "live");
  byId("progress").hidden = !figures.reading;
  byId("progress").value = figures.read;
}

function showFigures(told) {
  if (told.failed) {
    state(`reading has ended: ${told.failed}`, "bad");
    return;
  }
  figures = told;
  tellState();
  drawTotals(told);
  calls.draw(told.charts[shownWindow]);
  drawResults(told.results);
  drawLists(told);
}

function connect(query) {
  source?.close();
  cleared();
  source = new EventSource(`stream?${new URLSearchParams({ query })}`);
  const on = (name, show) => source.addEventListener(name, (event) => show(JSON.parse(event.data)));
  on("figures", showFigures);
  on("events", showEvents);
  on("table", showTable);
  on("refused", showRefused);
  on("tokens", showTokens);
  source.addEventListener("error", () => state("the dashboard does not answer; trying again", "bad"));
  source.addEventListener("open", () => figures && tellState());
}

function chooseWindow(name) {
  shownWindow = name;
  for (const button of byId("windows").children) {
    button.setAttribute("aria-pressed", String(button.dataset.window === name));
  }
  if (figures) calls.draw(figures.charts[name]);
}

function walk(event) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const place = event.target.closest?.(".scroll");
  if (!by || !place) return;
  const buttons = [...place.querySelectorAll("[data-exchange]")];
  const next = buttons[buttons.indexOf(document.activeElement) + by];
  if (next) {
    event.preventDefault();
    next.focus();
  }
}

document.addEventListener("keydown", (event) => {
  walk(event);
  const typing = event.target.matches?.("input") || byId("exchange").open;
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    event.preventDefault();
    byId("query").focus();
  }
  if (event.key === "p") pause();
});
byId("search").addEventListener("submit", (event) => {
  event.preventDefault();
  stopWhole();
  connect(byId("query").value);
});
byId("pause").addEventListener("click", pause);
byId("windows").append(...WINDOWS.map(([name, text]) => {
  const button = element("button", { type: "button", "data-window": name }, text);
  button.addEventListener("click", () => chooseWindow(name));
  return button;
}));
chooseWindow(shownWindow);
listenForExchanges();
listenForWhole();
connect("");
