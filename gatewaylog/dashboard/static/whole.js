// A search of the whole log: how far it is, a way to stop it, what it found.

import { byId } from "./elements.js";
import { cleared, showRefused, showWhole } from "./tail.js";

let search = null;

const tell = (text) => { byId("whole-told").textContent = text; };

export function stopWhole(text = "") {
  search?.close();
  search = null;
  byId("whole").textContent = "Search the whole log";
  tell(text);
}

function show(told) {
  if (told.waiting) tell("waiting for another search to end…");
  else if (told.read !== undefined) {
    tell(`searching the whole log: ${Math.floor(told.read * 100)} %`);
  } else if (told.failed) stopWhole(`The log can't be searched: ${told.failed}`);
  else {
    stopWhole("");
    cleared();
    (told.refused ? showRefused : showWhole)(told);
  }
}

function start() {
  search = new EventSource(`whole?${new URLSearchParams({ query: byId("query").value })}`);
  byId("whole").textContent = "Stop";
  tell("searching the whole log…");
  search.addEventListener("whole", (event) => show(JSON.parse(event.data)));
  search.addEventListener("error", () => stopWhole("The search was broken off."));
}

export function listenForWhole() {
  byId("whole").addEventListener("click", () => (search ? stopWhole("stopped") : start()));
}
