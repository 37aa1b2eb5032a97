// Saves what is shown under a short link. Every save is a version; none overwrites another.

import { ask, root, say } from "./viewer-api.js";
import { stateOf } from "./viewer-client.js";

export function openSave(session, dialog) {
  const form = dialog.querySelector("form");
  const done = dialog.querySelector("#save-done");
  const problem = dialog.querySelector("#save-error");
  const name = dialog.querySelector("#view-name");
  form.hidden = false;
  done.hidden = true;
  problem.hidden = true;
  name.value = session.view?.name ?? session.dataset;
  form.onsubmit = async (event) => {
    event.preventDefault();
    problem.hidden = true;
    try {
      await save(session, name.value.trim());
      dialog.querySelector("#save-link").textContent = `${location.origin}${root}/view/${session.view.id}`;
      form.hidden = true;
      done.hidden = false;
      say(`Saved as version ${session.view.version} of "${session.view.name}".`);
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    }
  };
  dialog.showModal();
  name.select();
}

async function save(session, name) {
  const state = stateOf(session.viewer);
  if (!state.layers?.length) throw new Error("nothing is shown, so there is nothing to save: show a layer first");
  const mine = session.view && session.view.name === name;
  try {
    session.view = mine
      ? await ask(`/api/views/${session.view.id}`, { method: "PUT", body: { version: session.view.version, state } })
      : await ask("/api/views", { method: "POST", body: { dataset: session.dataset, name, state } });
  } catch (error) {
    // somebody else's view, or one saved meanwhile: theirs stays, this becomes one of its own
    if (!mine || ![403, 409].includes(error.status)) throw error;
    session.view = await ask("/api/views", { method: "POST", body: { dataset: session.dataset, name, state } });
  }
  history.replaceState(null, "", `${root}/view/${session.view.id}`);
}
