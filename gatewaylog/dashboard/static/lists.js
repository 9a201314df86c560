// Totals and the three short tables beside the charts.

import { byId, clock, count, element, milliseconds, replaced, table } from "./elements.js";
import { opener } from "./exchange.js";

export function drawTotals(figures) {
  const parts = [
    ["requests", figures.requests, ""], ["completed", figures.completed, "good"],
    ["errors", figures.errors, figures.errors ? "bad" : ""],
    ["unmatched URLs", figures.unmatched_total, ""],
    ["orphans", figures.orphans.total, figures.orphans.total ? "warn" : ""],
    ["lines not read", figures.unread, figures.unread ? "warn" : ""],
  ];
  byId("totals").replaceChildren(...parts.map(([name, number, kind]) =>
    element("div", { class: kind }, element("dt", {}, name), element("dd", {}, count(number)))));
}

const cell = (text, kind) => element("td", { class: kind }, text);

const call = (one) => element("td", { class: "url" },
  one.api ? element("span", { class: "api" }, one.api) : null, `${one.method} ${one.url}`);

export function drawLists(figures) {
  replaced(byId("slowest"), table([["ms", "right"], ["status"], ["call"]],
    figures.slowest.map((slow) => element("tr", {},
      element("td", { class: "right" }, opener(slow.id, milliseconds(slow.ms), `slow-${slow.id}`)),
      cell(slow.status, slow.status >= "4" ? "bad" : ""), call(slow))),
    "No call has ended yet."));
  replaced(byId("unmatched"), table([["count", "right"], ["method"], ["URL"]],
    figures.unmatched.map(([method, url, number]) => element("tr", {},
      cell(count(number), "right"), cell(method), cell(url, "url"))),
    "Every URL had its API."));
  drawOrphans(figures.orphans);
}

function drawOrphans(orphans) {
  const rows = orphans.newest.map((orphan) => element("tr", {},
    element("td", {},
      opener(orphan.id, clock(orphan.time, false), `orphan-${orphan.id}-${orphan.fault}`)),
    cell(orphan.fault, "fault"), call(orphan)));
  const notes = [];
  if (orphans.total > rows.length) notes.push(`The newest ${rows.length} of ${count(orphans.total)}.`);
  if (orphans.unpaired_errors) {
    notes.push(`${count(orphans.unpaired_errors)} errors have no ResponseTo: any may be an end.`);
  }
  if (orphans.forgotten) notes.push(`${count(orphans.forgotten)} more were let go, unended.`);
  replaced(byId("orphans"), element("div", {},
    table([["time"], ["fault"], ["call"]], rows, "Every request has its end."),
    ...notes.map((note) => element("p", { class: "told" }, note))));
}
