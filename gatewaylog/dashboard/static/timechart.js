// Stacked columns over time, in SVG: no library is needed for as much.

import { byId, clock, count, drawn, element } from "./elements.js";

const HEIGHT = 220;
const LEFT = 48;
const BOTTOM = 22;
const TOP = 8;

export const colour = (place, name) =>
  name === "OTHER" ? "other" : name === "NULL" ? "null" : `c${place % 10}`;

export function legend(place, names) {
  place.replaceChildren(...names.map(([name, kind, number]) =>
    element("li", {}, element("i", { class: `key ${kind}` }), element("span", {}, name),
      element("b", {}, count(number)))));
}

function rounded(highest) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, highest)));
  return [1, 1.2, 1.6, 2, 3, 4, 6, 8, 10].map((step) => step * power).find((step) => step >= highest);
}

function label(seconds, span, covered) {
  const at = new Date(seconds * 1000);
  const day = at.toLocaleDateString(undefined, { month: "short", day: "numeric" });
  if (span >= 86400) return day;
  const time = at.toLocaleTimeString(undefined, {
    hour: "2-digit", minute: "2-digit", hour12: false, second: span < 60 ? "2-digit" : undefined });
  return covered > 86400 ? `${day} ${time}` : time;
}

function axis(svg, size, highest) {
  const bottom = HEIGHT - BOTTOM;
  for (const part of [0, 0.5, 1]) {
    const y = bottom - part * (bottom - TOP);
    svg.append(drawn("line", { class: "grid", x1: LEFT, x2: size, y1: y, y2: y }));
    svg.append(drawn("text", { class: "tick", x: LEFT - 6, y: y + 4, "text-anchor": "end" },
      highest * part % 1 ? "" : count(highest * part)));
  }
}

function ticks(svg, chart, buckets, step) {
  const covered = buckets * chart.span;
  const every = Math.max(1, Math.ceil(buckets / Math.max(1, Math.floor(buckets * step / 120))));
  for (let at = 0; at < buckets; at += every) {
    const x = LEFT + at * step;
    if (x + 60 > LEFT + buckets * step && at) break;
    svg.append(drawn("text", { class: "tick", x, y: HEIGHT - 6 },
      label(chart.start + at * chart.span, chart.span, covered)));
  }
}

const total = (chart, at) => chart.series.reduce((sum, series) => sum + series.counts[at], 0);

function spanned(seconds) {
  for (const [name, size] of [["d", 86400], ["h", 3600], ["min", 60]]) {
    if (seconds >= size) return `${seconds / size} ${name}`;
  }
  return `${seconds} s`;
}

// One of them, in the element `id`, with `id`-told and `id`-legend; `noun` is what is counted.
export class TimeChart {
  #chart = null;
  #chosen = null; // the bucket that is told
  #id;
  #title;
  #noun;

  constructor(id, { title, noun }) {
    this.#id = id;
    this.#title = title;
    this.#noun = noun;
    new ResizeObserver(() => this.draw()).observe(byId(id));
  }

  draw(given = this.#chart) {
    this.#chart = given;
    if (!given) return;
    const place = byId(this.#id);
    legend(byId(`${this.#id}-legend`), given.series.map((series, at) =>
      [series.name, colour(at, series.name), series.counts.reduce((sum, one) => sum + one, 0)]));
    this.#tell();
    if (!given.series.length) {
      place.replaceChildren(element("p", { class: "empty" }, `No ${this.#noun} yet.`));
      return;
    }
    const focused = place.contains(document.activeElement);
    const svg = this.#drawn(given, Math.max(260, place.clientWidth));
    place.replaceChildren(svg);
    if (focused) svg.focus({ preventScroll: true });
  }

  #drawn(chart, width) {
    const buckets = chart.series[0].counts.length;
    const step = (width - LEFT) / Math.max(buckets, 12);
    const sums = chart.series[0].counts.map((_, at) => total(chart, at));
    const highest = rounded(Math.max(...sums));
    const svg = drawn("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT,
      role: "img", tabindex: 0, "data-key": this.#id,
      "aria-label": `${this.#title}, ${buckets} columns; arrow keys tell each` });
    axis(svg, width, highest);
    this.#columns(svg, chart, buckets, step, highest);
    ticks(svg, chart, buckets, step);
    this.#listen(svg, buckets, step);
    return svg;
  }

  #columns(svg, chart, buckets, step, highest) {
    const high = HEIGHT - BOTTOM - TOP;
    for (let at = 0; at < buckets; at += 1) {
      let y = HEIGHT - BOTTOM;
      const stack = drawn("g", { class: at === this.#chosen ? "chosen" : null });
      chart.series.forEach((series, place) => {
        const tall = series.counts[at] / highest * high;
        if (!tall) return;
        y -= tall;
        stack.append(drawn("rect", { class: colour(place, series.name), x: LEFT + at * step,
          y, width: Math.max(0.5, step - (step > 4 ? 1 : 0)), height: tall }));
      });
      svg.append(stack);
    }
  }

  #tell() {
    const told = byId(`${this.#id}-told`);
    const chart = this.#chart;
    const at = this.#chosen;
    if (at === null || !chart.series.length || at >= chart.series[0].counts.length) {
      told.textContent = chart.series.length ? `a column is ${spanned(chart.span)}` : "";
      return;
    }
    const parts = chart.series.filter((series) => series.counts[at])
      .map((series) => `${series.name} ${count(series.counts[at])}`);
    told.replaceChildren(element("span", {},
      `${clock(chart.start + at * chart.span, false)}: ${count(total(chart, at))} ${this.#noun}`
      + (parts.length ? ` (${parts.join(", ")})` : "")));
  }

  #listen(svg, buckets, step) {
    const choose = (at) => {
      this.#chosen = at === null ? null : Math.min(buckets - 1, Math.max(0, at));
      svg.querySelectorAll("g").forEach((stack, number) =>
        stack.classList.toggle("chosen", number === this.#chosen));
      this.#tell();
    };
    svg.addEventListener("pointermove", (event) =>
      choose(Math.floor((event.clientX - svg.getBoundingClientRect().left - LEFT) / step)));
    svg.addEventListener("pointerleave", () => choose(null));
    svg.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by) {
        event.preventDefault();
        choose(this.#chosen === null ? (by > 0 ? 0 : buckets - 1) : this.#chosen + by);
      }
    });
  }
}
