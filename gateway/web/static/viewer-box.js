// The dialog "export this box": a level and a box become an address and a line of Python.

import { ask, root } from "./viewer-api.js";
import { places, viewBox } from "./viewer-client.js";

const AXES = ["z", "y", "x"];
const field = (name) => document.getElementById(`box-${name}`);
let known = new Map();

export async function openBox(session, dialog) {
  if (!known.size) await learn(session);
  if (!known.size) throw new Error("this dataset shows no image or labels to export from");
  field("entry").replaceChildren(...[...known.keys()].map((name) => new Option(name, name)));
  field("entry").onchange = () => { levels(); around(session); };
  field("level").onchange = () => around(session);
  field("around").onclick = () => around(session);
  field("visible").onclick = () => visible(session);
  dialog.querySelector("form").oninput = () => tell(session);
  dialog.querySelector("form").onsubmit = (event) => event.preventDefault();
  levels();
  around(session);
  dialog.showModal();
}

async function learn(session) {
  const pattern = /\/data\/([^/]+)\/([^/]+)\.ome\.zarr\//;
  const names = new Set();
  for (const managed of session.viewer.layerManager.managedLayers) {
    const found = JSON.stringify(managed.toJSON() ?? {}).match(pattern);
    if (found) names.add(found[2]);
  }
  for (const name of names) {
    // the volume's own document says its levels, as it does to every reader of OME-Zarr
    const meta = await ask(`/data/${session.dataset}/${name}.ome.zarr/zarr.json`);
    const scale = (meta.attributes.ome ?? meta.attributes).multiscales[0];
    const levels = await Promise.all(scale.datasets.map(async ({ path, coordinateTransformations }) => {
      const array = await ask(`/data/${session.dataset}/${name}.ome.zarr/${path}/zarr.json`);
      const steps = coordinateTransformations.find((t) => t.type === "scale").scale.slice(-3);
      const shift = coordinateTransformations.find((t) => t.type === "translation")?.translation.slice(-3) ?? [0, 0, 0];
      const times = array.shape.length > 4 ? array.shape[0] : 1;
      return { shape: array.shape.slice(-3), steps, shift, times, bytes: widthOf(array.data_type) };
    }));
    known.set(name, levels);
  }
}

function widthOf(type) {
  const bits = /(\d+)$/.exec(type)?.[1];
  return bits ? Number(bits) / 8 : 1;
}

function levels() {
  const all = known.get(field("entry").value);
  field("level").replaceChildren(...all.map(({ shape, steps }, number) =>
    new Option(`${number}: ${shape.join(" × ")} at ${steps.map((s) => +s.toPrecision(4)).join(", ")} µm`, number)));
}

function level() {
  return known.get(field("entry").value)[Number(field("level").value)];
}

function put(low, high, session) {
  const { shape } = level();
  AXES.forEach((axis, i) => {
    const from = Math.max(0, Math.min(shape[i] - 1, Math.floor(low[i])));
    field(`${axis}0`).value = from;
    field(`${axis}1`).value = Math.max(from + 1, Math.min(shape[i], Math.ceil(high[i])));
    field(`${axis}0`).max = shape[i] - 1;
    field(`${axis}1`).max = shape[i];
  });
  time(session);
  tell(session);
}

/** Of a volume with time points: which one, first of all the one in view. */
function time(session) {
  const { times } = level();
  const { names } = session.viewer.coordinateSpace.value;
  const seen = Math.floor(session.viewer.position.value[names.indexOf("t")] ?? 0);
  field("time-field").hidden = times < 2;
  field("time").max = times - 1;
  field("time").value = Math.max(0, Math.min(times - 1, seen));
}

function voxel(um) {
  const { steps, shift } = level();
  return um.map((v, i) => (v - shift[i]) / steps[i]);
}

function around(session) {
  const centre = voxel(places(session.viewer).cross).map(Math.round);
  put(centre.map((v) => v - 32), centre.map((v) => v + 32), session);
}

function visible(session) {
  const { low, high } = viewBox(session.viewer);
  const centre = voxel(places(session.viewer).cross);
  const [from, to] = [voxel(low), voxel(high)];
  put([centre[0], from[1], from[2]], [centre[0] + 1, to[1], to[2]], session);
}

function tell(session) {
  const low = AXES.map((axis) => Number(field(`${axis}0`).value));
  const high = AXES.map((axis) => Number(field(`${axis}1`).value));
  const ref = `${session.dataset}/${field("entry").value}`;
  const format = field("format").value;
  const box = low.map((from, i) => `${from}:${high[i]}`).join(",");
  const query = new URLSearchParams({ level: field("level").value, box, format });
  const timed = level().times > 1;
  if (timed) query.set("time", field("time").value);
  const address = `${location.origin}${root}/api/cutout/${ref}?${query}`;
  const slices = low.map((from, i) => `${from}:${high[i]}`).join(", ");
  field("url").textContent = address.replaceAll("%3A", ":").replaceAll("%2C", ",");
  field("python").textContent = `import gateway; voxels = gateway.connect("${location.origin}${root}").open("${ref}")[${field("level").value}, ${timed ? `${field("time").value}, ` : ""}:, ${slices}]`;
  field("download").href = address;
  const shape = high.map((to, i) => to - low[i]);
  const fits = shape.every((v) => v > 0);
  const bytes = shape.reduce((a, b) => a * b, level().bytes);
  field("size").textContent = fits ? `${shape.join(" × ")} voxels, ${(bytes / 2 ** 20).toFixed(1)} MiB before packing` : "Each end must lie after its beginning.";
  field("download").toggleAttribute("aria-disabled", !fits);
}
