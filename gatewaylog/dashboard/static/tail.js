// The live tail: events as they come, or the table that a query makes of the last lines.

import { byId, clock, count, element, milliseconds, replaced, seen, table } from "./elements.js";
import { opener } from "./exchange.js";

const MOST = 300; // rows
const COLUMNS = [["time"], ["event"], ["status"], ["took", "right"], ["API"], ["call"]];
const MARKS = { INCOMING_REQUEST: ["▸", "in"], REQUEST_COMPLETE: ["✓", "good"], ERROR: ["✗", "bad"],
  LOG_LOSS: ["!", "bad"] };

let paused = false;
let held = []; // told while paused, newest first
let number = 0;
let isWhole = false; // what is shown is of the whole log, and stays

function row(event) {
  const [mark, kind] = MARKS[event.event] ?? ["?", ""];
  number += 1;
  const call = element("td", { class: "url" }, `${event.method ?? "-"} ${event.url ?? "-"}`);
  if (event.out) call.append(element("span", { class: "out" }, ` → ${event.out}`));
  if (event.error) call.append(element("span", { class: "bad" }, ` ${event.error}`));
  if (event.outcome && event.outcome !== "complete") {
    call.append(element("span", { class: "warn" }, ` ${event.outcome}`));
  }
  return element("tr", {},
    element("td", { class: "time" }, opener(event.id, clock(event.time), `tail-${number}`)),
    element("td", { class: kind, title: event.event ?? "" }, mark),
    element("td", { class: event.status >= "4" ? "bad" : "" }, event.status ?? ""),
    element("td", { class: "right" }, milliseconds(event.ms)),
    element("td", { class: "api" }, event.api ?? "-"), call);
}

function body() {
  const place = byId("tail");
  let rows = place.querySelector("tbody");
  if (!rows) {
    place.replaceChildren(table(COLUMNS, [element("tr")], ""));
    rows = place.querySelector("tbody");
    rows.replaceChildren();
    place.firstElementChild.className = "events";
  }
  return rows;
}

export function showEvents(told) {
  if (isWhole) return;
  if (told.first) {
    held = [];
    byId("tail").replaceChildren();
    if (!told.events.length) {
      byId("tail").replaceChildren(element("p", { class: "empty" },
        told.empty ?? "Nothing yet: events show here as they come."));
      return;
    }
  }
  if (paused && !told.first) {
    held = [...told.events, ...held].slice(0, MOST);
    tell();
    return;
  }
  if (!told.events.length) return;
  const rows = body();
  const place = byId("tail");
  const before = place.scrollHeight;
  rows.prepend(...told.events.map(row));
  while (rows.children.length > MOST) rows.lastElementChild.remove();
  if (place.scrollTop > 4) place.scrollTop += place.scrollHeight - before; // stays where it is read
  tell();
}

export function showTable(told) {
  if (isWhole || (paused && !told.first)) return;
  fill(told);
  byId("tail-told").textContent =
    `of the last ${count(told.over)} lines, kept fresh${told.more ? "; the first rows" : ""}`;
}

function fill(told) {
  const kind = (value, at) => typeof value === "number" && told.columns[at] !== "_time" ? "right" : "";
  const rows = told.rows.map((values) => element("tr", {}, ...values.map((value, at) =>
    element("td", { class: kind(value, at) },
      told.columns[at] === "_time" && typeof value === "number" ? clock(value)
        : Array.isArray(value) ? value.join("\n") : value ?? ""))));
  replaced(byId("tail"), table(told.columns.map((name, at) => [name, kind(told.rows[0]?.[at], at)]), rows, "No rows."));
}

// What a search of the whole log gave; it stays until the next search.
export function showWhole(told) {
  isWhole = false;
  if (told.events) showEvents({ ...told, first: true, empty: "The log holds no such event." });
  else fill(told);
  isWhole = true;
  const shown = (told.events ?? told.rows).length;
  const parts = [`of the whole log, read in ${told.seconds.toFixed(1)} s`];
  if (told.more || (told.events && shown === MOST)) parts.push(`the first ${count(shown)} rows`);
  if (told.unread) parts.push(`${count(told.unread)} lines not read`);
  byId("tail-told").textContent = parts.join("; ");
}

export function showRefused(told) {
  const place = byId("refused");
  place.textContent = seen(told.refused);
  place.hidden = false;
  byId("query").setAttribute("aria-invalid", "true");
  byId("tail").replaceChildren();
  byId("tail-told").textContent = "";
}

export function cleared() {
  isWhole = false;
  byId("refused").hidden = true;
  byId("query").removeAttribute("aria-invalid");
  byId("tail-told").textContent = "";
}

function tell() {
  byId("tail-told").textContent = paused
    ? `paused${held.length ? `, ${held.length === MOST ? "many" : held.length} waiting` : ""}` : "";
}

export function pause() {
  paused = !paused;
  byId("pause").setAttribute("aria-pressed", String(paused));
  byId("pause").textContent = paused ? "Go on" : "Pause";
  if (!paused && held.length) {
    const events = held;
    held = [];
    showEvents({ events });
  }
  tell();
}
