// A bar for each API: how its calls ended. The seed's bar graph.

import { byId, count, drawn, element } from "./elements.js";
import { legend } from "./timechart.js";

const WIDE = 1000;

function kinds(results) {
  const sums = new Map();
  for (const row of Object.values(results)) {
    for (const [name, number] of Object.entries(row)) {
      sums.set(name, (sums.get(name) ?? 0) + number);
    }
  }
  const names = [...sums.keys()].filter((name) => !["Success", "OTHER", "NULL"].includes(name));
  names.sort((one, other) => sums.get(other) - sums.get(one) || (one < other ? -1 : 1));
  const ordered = ["Success", ...names, "OTHER", "NULL"].filter((name) => sums.has(name));
  let place = 0;
  return ordered.map((name) => {
    const fixed = { Success: "success", OTHER: "other", NULL: "null" }[name];
    return [name, fixed ?? `e${place++ % 10}`, sums.get(name)];
  });
}

function bar(row, known, highest) {
  const svg = drawn("svg", { viewBox: `0 0 ${WIDE} 16`, preserveAspectRatio: "none", class: "bar",
    role: "img", "aria-label": known.filter(([name]) => row.get(name))
      .map(([name]) => `${name} ${row.get(name)}`).join(", ") });
  let x = 0;
  for (const [name, kind] of known) {
    const wide = (row.get(name) ?? 0) / highest * WIDE;
    if (!wide) continue;
    svg.append(drawn("rect", { class: kind, x, y: 0, width: wide, height: 16 },
      drawn("title", {}, `${name}: ${count(row.get(name))}`)));
    x += wide;
  }
  return svg;
}

export function drawResults(results) {
  const known = kinds(results);
  const rows = Object.entries(results).map(([api, row]) => [api, new Map(Object.entries(row))]);
  const sum = (row) => [...row.values()].reduce((total, one) => total + one, 0);
  const highest = Math.max(1, ...rows.map(([, row]) => sum(row)));
  byId("results").replaceChildren(...(rows.length ? rows.map(([api, row]) => {
    const errors = sum(row) - (row.get("Success") ?? 0);
    return element("div", { class: "row" },
      element("span", { class: "name", title: api }, api),
      bar(row, known, highest),
      element("span", { class: "number" }, count(sum(row)),
        element("small", {}, ` ${(errors / sum(row) * 100).toFixed(1)} % errors`)));
  }) : [element("p", { class: "empty" }, "No call has ended yet.")]));
  legend(byId("results-legend"), known);
}
