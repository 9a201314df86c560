// The use of tokens: asked for only while the section can be seen.

import { byId, clock, count, element, replaced, table } from "./elements.js";
import { opener } from "./exchange.js";
import { TimeChart } from "./timechart.js";

const BY = ["vendor", "client"];
const GRAVE = { high: "bad", medium: "warn", low: "" };

const section = byId("tokens");
const chart = new TimeChart("accesses", { title: "Accesses by hour", noun: "accesses" });
let use = {};
let shownBy = "vendor";
let inWindow = false;
let next = null; // the timer of the next question

const cell = (text, kind) => element("td", { class: kind }, text);
const name = (text) => text === null ? element("td", { class: "empty" }, "unknown") : cell(text, "api");
const when = (seconds) => cell(seconds === null ? "" : clock(seconds, false), "time");

function list(id, part, columns, row, empty) {
  if (!part) return;
  const told = [];
  if (part.failed) told.push(element("p", { class: "warn" }, `No rule was run: ${part.failed}`));
  else told.push(table(columns, part.rows.map(row), empty));
  const more = part.total === undefined ? part.more : part.total > part.rows.length;
  if (more) {
    told.push(element("p", { class: "told" }, part.total === undefined
      ? `The first ${count(part.rows.length)}.`
      : `The gravest ${count(part.rows.length)} of ${count(part.total)}.`));
  }
  replaced(byId(id), element("div", {}, ...told));
}

function drawVendors(part) {
  list("vendors", part, [["vendor"], ["accesses", "right"], ["tokens", "right"], ["last access"]],
    (row) => element("tr", {}, name(row.vendor_name), cell(count(row.access_count), "right"),
      cell(count(row.unique_tokens), "right"), when(row.last_access)),
    "No token was used.");
}

function drawOften(part) {
  list("often", part, [["client"], ["application"], ["vendor"], ["accesses", "right"]],
    (row) => element("tr", {}, name(row.api_client_key), name(row.application_name),
      name(row.vendor_name), cell(count(row.access_count), "right")),
    `No client had more than ${count(part?.threshold ?? 0)} accesses.`);
}

function drawFindings(part) {
  list("findings", part, [["time"], ["severity"], ["rule"], ["client"], ["why"]],
    (row) => element("tr", {},
      element("td", { class: "time" },
        opener(row.id, clock(row.at, false), `finding-${row.rule}-${row.client}-${row.at}`)),
      cell(row.severity, GRAVE[row.severity]),
      element("td", { class: "rule" }, row.rule, element("small", {}, ` ${row.title}`)),
      cell(row.client, "api"), cell(row.why, "why")),
    "The rules found nothing.");
}

function drawAll() {
  const failed = use.failed ? `The store of token use can't be asked: ${use.failed}` : "";
  if (byId("tokens-failed").textContent !== failed) {
    byId("tokens-failed").replaceChildren(...failed ? [element("span", {}, failed)] : []);
  }
  byId("tokens-told").textContent = use.at ? `as of ${clock(use.at, false)}`
    : failed ? "" : "asking…";
  drawVendors(use.vendors);
  drawOften(use.often);
  chart.draw(use.timeline?.[shownBy]);
  drawFindings(use.findings);
}

async function ask() {
  next = null;
  let wait = 10;
  try {
    const response = await fetch("tokens");
    use = await response.json();
    wait = use.wait;
    drawAll();
  } catch {
    byId("tokens-told").textContent = "The dashboard does not answer.";
  }
  if (wait !== null) askIn(Math.min(10, wait + 0.1));
}

const isSeen = () => inWindow && document.visibilityState === "visible";

function askIn(seconds) {
  clearTimeout(next);
  next = isSeen() ? setTimeout(ask, seconds * 1000) : null;
}

function choose(by) {
  shownBy = by;
  for (const button of byId("by").children) {
    button.setAttribute("aria-pressed", String(button.dataset.by === by));
  }
  chart.draw(use.timeline?.[by]);
}

export function showTokens() {
  if (!section.hidden) return;
  section.hidden = false;
  byId("by").append(...BY.map((by) => {
    const button = element("button", { type: "button", "data-by": by }, `by ${by}`);
    button.addEventListener("click", () => choose(by));
    return button;
  }));
  choose(shownBy);
  new IntersectionObserver((entries) => {
    inWindow = entries.at(-1).isIntersecting;
    askIn(0);
  }).observe(section);
  document.addEventListener("visibilitychange", () => askIn(0));
}
