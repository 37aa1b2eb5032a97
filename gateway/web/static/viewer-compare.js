// Two volumes over each other or side by side; the service makes the state.

import { ask } from "./viewer-api.js";
import { restore } from "./viewer-client.js";

export function openCompare(session, dialog) {
  const names = entries(session);
  const problem = dialog.querySelector("#compare-error");
  problem.hidden = true;
  if (names.length < 2) throw new Error("comparing needs two images or labels; this dataset shows fewer");
  const [first, second] = ["first", "second"].map((which) => dialog.querySelector(`#compare-${which}`));
  first.replaceChildren(...names.map((name) => new Option(name, name)));
  second.replaceChildren(...names.map((name) => new Option(name, name)));
  second.selectedIndex = 1;
  const show = async (event) => {
    event.preventDefault();
    problem.hidden = true;
    try {
      if (first.value === second.value) throw new Error("choose two different volumes");
      const mode = new FormData(dialog.querySelector("form")).get("mode");
      restore(session.viewer, await ask(`/api/state/${session.dataset}/compare?${new URLSearchParams({ first: first.value, second: second.value, mode })}`));
      dialog.close();
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    }
  };
  dialog.querySelector("form").onsubmit = show;
  dialog.querySelector("#compare-none").onclick = () => { restore(session.viewer, session.given); dialog.close(); };
  dialog.showModal();
}

function entries(session) {
  const names = new Set();
  for (const layer of session.given.layers ?? []) {
    const found = JSON.stringify(layer.source ?? "").match(/\/data\/[^/]+\/([^/]+?)\.ome\.zarr/);
    if (found) names.add(found[1]);
  }
  return [...names];
}
