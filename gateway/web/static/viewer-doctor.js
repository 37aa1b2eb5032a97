// When nothing shows, says why: what the viewer met, what the picture holds, what the service finds.

import { ask } from "./viewer-api.js";
import { picture, progress, settled } from "./viewer-client.js";

const PATIENCE_MS = 8000;
const STILL_MS = 60_000;
/** The scale bars of four panels cover about this share of them. */
const BLANK_SHARE = 0.004;

export function watchBlank(session) {
  const panel = document.getElementById("doctor");
  const open = () => { panel.hidden = false; diagnose(session); };
  for (const [act, does] of Object.entries({ doctor: open, "doctor-again": open, "doctor-close": () => { panel.hidden = true; } })) {
    document.querySelector(`[data-act="${act}"]`).addEventListener("click", does);
  }
  setTimeout(async () => {
    const layers = progress(session.viewer);
    const failed = layers.some((layer) => layer.errors.length);
    const waiting = layers.length > 0 && layers.every((layer) => layer.there === 0);
    if (layers.length === 0 || failed || waiting) { open(); return; }
    // while chunks arrive nothing is amiss, and one more drawing would only delay them
    await settled(session.viewer, STILL_MS);
    if (isBlank(session.viewer)) open();
  }, PATIENCE_MS);
}

/** Looks once more if the findings are open: what they said may be mended. */
export async function lookAgain(session) {
  if (document.getElementById("doctor").hidden) return;
  await settled(session.viewer, STILL_MS);
  diagnose(session);
}

async function diagnose(session) {
  const target = document.getElementById("doctor-findings");
  target.replaceChildren(text("p", "Looking…", "soft"));
  const found = [];
  const layers = progress(session.viewer);
  const blank = isBlank(session.viewer);
  if (!session.viewer.layerManager.managedLayers.length) found.push(["bad", "This view has no layer.", "Reload the page, or open the dataset again."]);
  else if (!layers.length) found.push(["bad", "Every layer is switched off.", "Switch one on under Layers."]);
  for (const layer of layers) {
    for (const error of layer.errors) found.push(["bad", `${layer.name} could not be opened: ${error}`, "See whether the address answers; a link may have expired."]);
    if (!layer.errors.length && layer.needed > 0 && layer.there === 0) found.push(["warn", `${layer.name}: none of ${layer.needed} chunks in view has arrived.`, "Wait, or see below what the service finds."]);
  }
  found.push(...refused(session));
  found.push(...outside(session));
  const served = await Promise.all(entriesOf(session).map((name) => fromService(session, name)));
  found.push(...served.flat());
  if (!found.length) found.push(blank
    ? ["warn", "All chunks are here, and every pixel is the same.", "Press \"Contrast: auto\", zoom out, or step through the planes with , and ."]
    : ["good", "Everything in view is drawn.", ""]);
  const list = document.createElement("ul");
  list.append(...found.map(([kind, what, way]) => {
    const item = document.createElement("li");
    item.append(text("span", { bad: "wrong", warn: "perhaps", good: "fine" }[kind], `badge ${kind}`), " ", text("span", what));
    if (way) item.append(text("p", way, "help"));
    return item;
  }));
  target.replaceChildren(list);
}

async function fromService(session, name) {
  try {
    const { findings } = await ask(`/api/doctor/${session.dataset}/${name}`);
    return findings.filter((one) => one.severity !== "good").map((one) => [
      one.severity === "wrong" ? "bad" : "warn", `${name}: ${one.what}`, one.advice,
    ]);
  } catch (error) {
    return [["bad", `${name}: ${error.message}`, ""]];
  }
}

function entriesOf(session) {
  const names = new Set();
  for (const managed of session.viewer.layerManager.managedLayers) {
    if (!managed.visible) continue;
    const found = JSON.stringify(managed.toJSON() ?? {}).match(/\/data\/[^/]+\/([^/]+?)\.(ome\.zarr|points|mesh|skeleton)/);
    if (found) names.add(found[1]);
  }
  return [...names];
}

/** The requests of the frame that were refused or failed, as far as the browser tells. */
function refused(session) {
  const frame = document.getElementById("client").contentWindow;
  const seen = frame.performance.getEntriesByType("resource").filter((one) => one.responseStatus >= 400 && one.responseStatus !== 404);
  return seen.slice(-5).map((one) => ["bad", `${new URL(one.name).pathname.split("/").slice(-3).join("/")} was answered with ${one.responseStatus}.`,
    [401, 403].includes(one.responseStatus) ? "Your session or link may have ended: sign in again." : "Ask who runs this service."]);
}

/** Whether the cross lies outside everything that is shown. */
function outside(session) {
  const { bounds, names } = session.viewer.coordinateSpace.value;
  const position = session.viewer.position.value;
  const out = names.filter((_, axis) => position[axis] < bounds.lowerBounds[axis] - 1 || position[axis] > bounds.upperBounds[axis] + 1);
  return out.length ? [["bad", `You look at a place outside the data along ${out.join(", ")}.`, "Reload the page to come back to the middle."]] : [];
}

/** A picture in which only images and labels are drawn, where there are any: points shine over a black image. */
function withoutMarks(viewer) {
  const shown = viewer.layerManager.managedLayers.filter((managed) => managed.visible);
  const isVoxels = (managed) => ["image", "segmentation"].includes(managed.layer?.type);
  const marks = shown.some(isVoxels) ? shown.filter((managed) => !isVoxels(managed)) : [];
  for (const managed of marks) managed.setVisible(false);
  try {
    return picture(viewer, 480);
  } finally {
    for (const managed of marks) managed.setVisible(true);
  }
}

/** Whether the panels show flat colours only, lines and scale bar aside. */
export function isBlank(viewer) {
  const copy = withoutMarks(viewer);
  const { data } = copy.getContext("2d").getImageData(0, 0, copy.width, copy.height);
  const seen = new Map();
  let lines = 0;
  for (let at = 0; at < data.length; at += 4) {
    const [red, green, blue] = [data[at], data[at + 1], data[at + 2]];
    // axes, bounds: pure colours, also where they blend with the dark
    if (Math.max(red, green, blue) > 60 && Math.min(red, green, blue) < 20) lines += 1;
    else {
      const key = (red >> 4) * 256 + (green >> 4) * 16 + (blue >> 4);
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
  }
  const most = [...seen.values()].sort((a, b) => b - a);
  const rest = data.length / 4 - lines - most[0] - (most[1] ?? 0);
  return rest / (data.length / 4) < BLANK_SHARE;
}

function text(tag, content, style = "") {
  const element = document.createElement(tag);
  element.textContent = content;
  element.className = style;
  return element;
}
