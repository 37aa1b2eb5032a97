// The stock client in a frame of a notebook: hears what to show, tells what is shown and clicked.
//
// The page around it may be of another site: it is told places, names and numbers, never addresses.

import { goTo, isSettled, places, restore, startClient, stateOf } from "./viewer-client.js";
import { layersOf, setLayers, withLook } from "./viewer-embed-layers.js";
import { picked } from "./viewer-embed-pick.js";

const QUIET_MS = 60;
const LOOK_MS = 250;
const here = new URL("../../", location.href).href;
const client = startClient({ contentWindow: window, contentDocument: document });
let told = "";
let waiting = 0;

function tell(kind, facts = {}) {
  // to whoever frames this page: whoever could do that holds the link to the data itself
  window.parent.postMessage({ gateway: kind, ...facts }, "*");
}

/** Fetches the state of some entries of a dataset, its addresses as this browser reaches them. */
async function stateFrom({ token, dataset, entries }) {
  const root = here.replace(/\/s\/[^/]+\/$/, `/s/${token}/`);
  const asked = new URLSearchParams(entries.map((name) => ["entry", name]));
  const answer = await fetch(`${root}api/state/${dataset}?${asked}`);
  const text = await answer.text();
  if (!answer.ok) throw new Error(JSON.parse(text)?.error?.message ?? `the gateway answered ${answer.status}`);
  return JSON.parse(text.replace(/https?:[^"|]*?\/s\/[^"/|]+(?=\/data\/)/g, root.replace(/\/$/, "")));
}

async function show(viewer, { parts, points = [], wanted = {} }) {
  const states = await Promise.all(parts.map(stateFrom));
  const layers = [];
  for (const [number, state] of states.entries()) {
    for (const layer of state.layers) {
      const taken = layers.some((other) => other.name === layer.name);
      layers.push(taken ? { ...layer, name: `${parts[number].dataset}/${layer.name}` } : layer);
    }
  }
  const state = { ...states[0], layers: [...layers, ...points].map((layer) => withLook(layer, wanted.layers?.[layer.name])) };
  if (wanted.panels) state.layout = layoutOf(wanted.panels);
  if (wanted.um_per_pixel) state.crossSectionScale = wanted.um_per_pixel / leastOf(state.dimensions);
  if (wanted.position_um) state.position = positionOf(state, wanted.position_um);
  restore(viewer, state);
}

/** The position of a place in micrometres, zyx, in the dimensions of a state. */
function positionOf({ dimensions, position = [] }, um) {
  const place = { z: um[0], y: um[1], x: um[2] };
  return Object.entries(dimensions).map(([axis, [scale]], number) =>
    axis in place ? place[axis] / (scale * 1e6) : position[number] ?? 0);
}

function layoutOf(panels) {
  return { type: panels, orthographicProjection: true };
}

function leastOf(dimensions) {
  return Math.min(...["z", "y", "x"].map((axis) => dimensions[axis][0] * 1e6));
}

function facts(viewer) {
  const state = stateOf(viewer);
  const space = viewer.coordinateSpace.value;
  const least = Math.min(...["z", "y", "x"].map((axis) => space.scales[space.names.indexOf(axis)] * 1e6));
  const panels = typeof state.layout === "string" ? state.layout : state.layout?.type;
  return {
    position_um: places(viewer).cross,
    um_per_pixel: (state.crossSectionScale ?? 1) * least,
    panels: panels ?? "4panel",
    layers: layersOf(viewer),
  };
}

function change(viewer, wanted) {
  if (wanted.position_um) goTo(viewer, wanted.position_um);
  if (wanted.um_per_pixel) {
    const now = facts(viewer).um_per_pixel;
    const scale = stateOf(viewer).crossSectionScale ?? 1;
    viewer.state.restoreState({ crossSectionScale: (scale * wanted.um_per_pixel) / now });
  }
  if (wanted.panels) viewer.state.restoreState({ layout: layoutOf(wanted.panels) });
  if (wanted.layers) setLayers(viewer, wanted.layers);
}

function watch(viewer) {
  const changed = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      if (!viewer.coordinateSpace.value.names.includes("x")) return; // no layer is there yet
      const now = facts(viewer);
      const text = JSON.stringify(now);
      if (text !== told) tell("state", now);
      told = text;
    }, QUIET_MS);
  };
  viewer.state.changed.add(changed);
  let calm = 0;
  let was = null;
  setInterval(() => {
    calm = isSettled(viewer) ? calm + 1 : 0;
    const settled = calm > 2;
    if (settled !== was) tell("settled", { settled });
    if (settled && !was) changed();
    was = settled;
  }, LOOK_MS);
  picked(viewer, (what) => tell("picked", what));
}

const viewer = await client;
window.addEventListener("message", async ({ source, data }) => {
  if (source !== window.parent || !data?.gateway) return;
  try {
    if (data.gateway === "show") await show(viewer, data);
    if (data.gateway === "set") change(viewer, data.wanted);
  } catch (error) {
    tell("trouble", { text: String(error.message ?? error) });
  }
});
watch(viewer);
tell("ready");
