// One exchange in a dialog: its events, where it went, how long it took.

import { byId, clock, element, milliseconds } from "./elements.js";

export function opener(id, text, key) {
  if (!id) return element("span", {}, text);
  return element("button", { type: "button", class: "open", "data-exchange": id, "data-key": key },
    text);
}

const URLS = { RequestInMethod: 0, RequestInURL: 1, RequestOutMethod: 2, RequestOutURL: 3 };

function summary(exchange) {
  const known = new Map(exchange.events.flatMap((event) => event.fields));
  const parts = Object.keys(URLS).map((name) => known.get(name) ?? "");
  const lines = [element("p", { class: "way" }, element("b", {}, parts[0]), " ", parts[1])];
  if (parts[3]) {
    lines.push(element("p", { class: "way" }, "→ ", element("b", {}, parts[2]), " ", parts[3]));
  }
  const facts = [
    ["status", known.get("StatusCode")], ["outcome", known.get("Outcome")],
    ["error", known.get("ERROR_MESSAGE")], ["took", milliseconds(known.get("DurationMs"))],
    ["backend", milliseconds(known.get("BackendMs"))],
    ["between the events", between(exchange.events)],
  ].filter(([, value]) => value !== undefined && value !== "");
  lines.push(element("dl", { class: "facts" }, ...facts.flatMap(([name, value]) =>
    [element("dt", {}, name), element("dd", {}, value)])));
  return lines;
}

const between = (events) =>
  events.length < 2 ? "" : milliseconds((events[1].time - events[0].time) * 1000);

function shownEvent(event) {
  const name = event.fields.find(([field]) => field === "Event")?.[1] ?? "event";
  const kind = { ERROR: "bad", REQUEST_COMPLETE: "good" }[name] ?? "";
  return element("section", { class: "event" },
    element("h3", {}, element("span", { class: kind }, name), " ",
      element("time", {}, clock(event.time))),
    element("dl", { class: "fields" }, ...event.fields.filter(([field]) => field !== "Event")
      .flatMap(([field, value]) => [element("dt", {}, field), element("dd", {}, value)])));
}

function shown(answer, id) {
  if (answer.failed) return [element("p", { class: "bad" }, answer.failed)];
  if (!answer.exchanges.length) return [element("p", {}, `No exchange with the id ${id}.`)];
  return answer.exchanges.flatMap((exchange) => [
    ...summary(exchange), ...exchange.events.map(shownEvent),
    exchange.missing ? element("p", { class: "warn" }, exchange.missing) : null,
  ].filter(Boolean));
}

let asked = "";

async function open(id) {
  const dialog = byId("exchange");
  const body = byId("exchange-body");
  asked = id;
  body.replaceChildren(element("p", { class: "empty" }, "looking…"));
  dialog.showModal();
  try {
    const response = await fetch(`exchange?${new URLSearchParams({ id })}`);
    const answer = await response.json();
    if (asked === id) body.replaceChildren(...shown(answer, id));
  } catch {
    body.replaceChildren(element("p", { class: "bad" }, "The dashboard does not answer."));
  }
}

export function listenForExchanges() {
  const dialog = byId("exchange");
  document.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    const button = event.target.closest("[data-exchange]") ?? row?.querySelector("[data-exchange]");
    if (button && !String(getSelection())) open(button.dataset.exchange);
    if (event.target === dialog) dialog.close();
  });
  byId("exchange-close").addEventListener("click", () => dialog.close());
}
