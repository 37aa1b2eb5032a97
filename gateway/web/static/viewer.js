// The viewer page: loads the state first, then lets it be changed, saved and shared.

import { ask, copy, root, say } from "./viewer-api.js";
import { picture, restore, settled, startClient, stateOf } from "./viewer-client.js";
import { openBox } from "./viewer-box.js";
import { openCompare } from "./viewer-compare.js";
import { lookAgain, watchBlank } from "./viewer-doctor.js";
import { showLayers } from "./viewer-layers.js";
import { openSave } from "./viewer-save.js";

const frame = document.getElementById("client");
const layout = document.getElementById("layout");
const dialog = (name) => document.getElementById(`${name}-dialog`);
const button = (name) => document.querySelector(`[data-act="${name}"]`);

/** What the parts of the page share: the client's viewer and what it was given to show. */
export const session = { viewer: null, dataset: frame.dataset.dataset, view: null, given: null };

export async function begin(prepare = (state) => state) {
  measure();
  try {
    const [viewer, state] = await Promise.all([startClient(frame), loadState()]);
    session.viewer = viewer;
    session.given = structuredClone(state);
    if (!session.view && innerWidth < 640) state.layout = "xy"; // four panels of a phone are stamps
    restore(viewer, prepare(state));
  } catch (error) {
    document.body.dataset.viewer = "failed";
    say(error.message, true);
    return null;
  }
  wire();
  followDrawing();
  return session.viewer;
}

async function loadState() {
  if (frame.dataset.view) {
    const version = new URLSearchParams(location.search).get("version");
    session.view = await ask(`/api/views/${frame.dataset.view}${version ? `?version=${version}` : ""}`);
    document.title = `${session.view.name} · Brain Gateway`;
    return session.view.state;
  }
  const wanted = new URLSearchParams(location.search);
  const query = new URLSearchParams();
  for (const name of wanted.getAll("entry")) query.append("entry", name);
  if (wanted.has("rendering")) query.set("rendering", wanted.get("rendering"));
  const state = await ask(`/api/state/${session.dataset}?${query}`);
  const at = wanted.get("at")?.split(",").map(Number);
  return at?.length === 3 && at.every(Number.isFinite) ? lookingAt(state, at) : state;
}

/** The state with its cross at a place in micrometres, zyx. */
function lookingAt(state, um) {
  const position = Object.entries(state.dimensions).map(([axis, [metres]], number) => {
    const place = "zyx".indexOf(axis);
    return place < 0 ? state.position[number] : um[place] / (metres * 1e6);
  });
  return { ...state, position };
}

async function followDrawing() {
  document.body.dataset.viewer = "drawing";
  if (await settled(session.viewer, 120_000)) document.body.dataset.viewer = "settled";
}

function wire() {
  const { viewer } = session;
  const acts = {
    layers: () => toggleSide("layers", () => showLayers(session)),
    contrast: async () => { await autoContrast(); lookAgain(session); },
    scale: () => { viewer.showScaleBar.toggle(); reflect(); },
    compare: () => openCompare(session, dialog("compare")),
    box: () => openBox(session, dialog("box")),
    shoot: download,
    save: () => openSave(session, dialog("save")),
    link: copyLink,
    help: () => dialog("help").showModal(),
  };
  document.querySelector(".viewer-bar").addEventListener("click", (event) => {
    const act = event.target.closest("[data-act]")?.dataset.act;
    if (acts[act]) Promise.resolve(acts[act]()).catch((error) => say(error.message, true));
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
  });
  layout.addEventListener("change", () => {
    viewer.state.restoreState({ layout: layout.value });
    frame.focus();
  });
  viewer.state.changed.add(later(reflect));
  // "?" is shift and slash on some keyboards, another key on others: told apart by what it types
  for (const target of [document, frame.contentDocument]) {
    target.addEventListener("keydown", (event) => {
      if (event.key !== "?" || event.target.closest?.("input, textarea, select")) return;
      event.preventDefault();
      event.stopPropagation();
      dialog("help").showModal();
    }, true);
  }
  reflect();
  watchBlank(session);
}

function reflect() {
  const { viewer } = session;
  button("scale").setAttribute("aria-pressed", String(viewer.showScaleBar.value));
  const shown = viewer.state.toJSON().layout;
  const type = typeof shown === "string" ? shown : shown?.type;
  if ([...layout.options].some((option) => option.value === type)) layout.value = type;
  if (!document.getElementById("layers").hidden) showLayers(session);
}

function toggleSide(name, show) {
  const side = document.getElementById(name);
  side.hidden = !side.hidden;
  button(name).setAttribute("aria-expanded", String(!side.hidden));
  if (!side.hidden) show();
}

async function autoContrast() {
  const names = session.viewer.layerManager.managedLayers.map((managed) => managed.name);
  const fresh = await ask(`/api/state/${session.dataset}`);
  const controls = new Map(fresh.layers.map((layer) => [layer.name, layer.shaderControls]));
  const state = stateOf(session.viewer);
  let mended = 0;
  for (const layer of state.layers ?? []) {
    const contrast = controls.get(layer.name)?.contrast;
    if (layer.type !== "image" || !contrast) continue;
    layer.shaderControls = { ...layer.shaderControls, contrast };
    mended += 1;
  }
  if (mended) restore(session.viewer, state);
  say(mended ? `Contrast set from the content of ${mended} of ${names.length} layers.` : "No image is shown here.");
}

function download() {
  picture(session.viewer).toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${session.dataset}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    say(`Saved ${link.download} among your downloads.`);
  });
}

async function copyLink() {
  const here = session.view
    ? `${location.origin}${root}/view/${session.view.id}`
    : `${location.origin}${root}/d/${session.dataset}/view${location.search}`;
  const copied = await copy(here);
  say(copied ? `Copied ${here}` : `The link: ${here}`);
}

function later(act) {
  let waiting = 0;
  return () => { clearTimeout(waiting); waiting = setTimeout(act, 150); };
}

function measure() {
  const fit = () => {
    const top = document.querySelector(".top").getBoundingClientRect().height;
    document.documentElement.style.setProperty("--top", `${top}px`);
  };
  addEventListener("resize", fit);
  fit();
}
