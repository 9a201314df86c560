// Elements made of text. All that a log says reaches the page through `textContent` here.

const SVG = "http://www.w3.org/2000/svg";

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(name, value === true ? "" : String(value));
    }
  }
  for (const child of children) {
    if (child === null || child === undefined) continue;
    node.append(child instanceof Node ? child : document.createTextNode(seen(String(child))));
  }
  return node;
}

export const element = (name, attributes = {}, ...children) =>
  filled(document.createElement(name), attributes, children);

export const drawn = (name, attributes = {}, ...children) =>
  filled(document.createElementNS(SVG, name), attributes, children);

export const byId = (id) => document.getElementById(id);

// Characters that are not seen, or turn those around them, are written out.
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

export function seen(text) {
  return text.replace(HIDDEN, (one) =>
    one === "\n" ? one : `\\u{${one.codePointAt(0).toString(16)}}`);
}

const two = (number) => String(number).padStart(2, "0");

export function clock(seconds, precise = true) {
  const at = new Date(seconds * 1000);
  if (Number.isNaN(at.getTime())) return String(seconds);
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  const fraction = precise ? `.${String(at.getMilliseconds()).padStart(3, "0")}` : "";
  const today = new Date().toDateString() === at.toDateString();
  return today ? time + fraction : `${day} ${time}${fraction}`;
}

export const count = (number) => Number(number).toLocaleString("en");

export function milliseconds(value) {
  const number = Number(value);
  if (value === null || value === undefined || value === "" || Number.isNaN(number)) return "";
  return number >= 10000 ? `${(number / 1000).toFixed(1)} s` : `${number.toFixed(1)} ms`;
}

// A table that keeps its rows' focus when it is made anew.
export function table(columns, rows, empty) {
  if (!rows.length) return element("p", { class: "empty" }, empty);
  const head = element("tr", {}, ...columns.map(([name, kind]) =>
    element("th", { scope: "col", class: kind }, name)));
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
}

export function replaced(place, node) {
  const key = place.contains(document.activeElement) && document.activeElement.dataset.key;
  place.replaceChildren(node);
  if (key) {
    [...place.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key)
      ?.focus({ preventScroll: true });
  }
}
