// The stock client in the frame: waits for it, gives it a state, tells what it has drawn.

/** Returns the client's viewer once the frame has started it. */
export async function startClient(frame) {
  const deadline = Date.now() + 60_000;
  while (Date.now() < deadline) {
    const viewer = frame.contentWindow?.viewer;
    // the client empties its state from the address once it is up; a state given earlier is lost
    if (viewer?.state && frame.contentDocument.querySelector(".neuroglancer-viewer, .neuroglancer-rendered-data-panel")) {
      await nextFrame(frame.contentWindow);
      return viewer;
    }
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error("the volume viewer did not start; reload the page, and see whether this browser has WebGL 2");
}

/** Shows a state; what was shown before is gone. */
export function restore(viewer, state) {
  viewer.state.reset();
  // beyond the data: dark, so that the eye stays with the data
  viewer.state.restoreState({ crossSectionBackgroundColor: "#16191d", ...state });
}

export function stateOf(viewer) {
  return JSON.parse(JSON.stringify(viewer.state.toJSON()));
}

/** Tells how many of the visible chunks are there, per layer that is shown, and what failed. */
export function progress(viewer) {
  const layers = [];
  for (const managed of viewer.layerManager.managedLayers) {
    if (!managed.visible) continue;
    const told = { name: managed.name, needed: 0, there: 0, ready: Boolean(managed.isReady()), errors: [] };
    const layer = managed.layer;
    for (const part of layer?.renderLayers ?? []) {
      const info = part.layerChunkProgressInfo;
      told.needed += info?.numVisibleChunksNeeded ?? 0;
      told.there += info?.numVisibleChunksAvailable ?? 0;
    }
    for (const source of layer?.dataSources ?? []) {
      const error = source.loadState?.error;
      if (error) told.errors.push(String(error.message ?? error));
    }
    layers.push(told);
  }
  return layers;
}

/** Tells whether all visible chunks of all shown layers are there. */
export function isSettled(viewer) {
  const layers = progress(viewer);
  return layers.length > 0 && layers.every((layer) => layer.ready && layer.there >= layer.needed && !layer.errors.length) && layers.some((layer) => layer.needed > 0);
}

/** Calls back once when everything in view is drawn; returns false if that took too long. */
export async function settled(viewer, milliseconds) {
  const deadline = Date.now() + milliseconds;
  let calm = 0;
  while (Date.now() < deadline) {
    calm = isSettled(viewer) ? calm + 1 : 0;
    if (calm >= 3) return true;
    await new Promise((done) => setTimeout(done, 100));
  }
  return false;
}

/** Returns a picture of what is drawn, as a canvas of its own. */
export function picture(viewer, width = 0) {
  viewer.display.draw(); // the picture is gone after the frame in which it was drawn
  const drawn = viewer.display.canvas;
  const copy = document.createElement("canvas");
  copy.width = width || drawn.width;
  copy.height = Math.max(1, Math.round((drawn.height * copy.width) / drawn.width));
  copy.getContext("2d", { willReadFrequently: true }).drawImage(drawn, 0, 0, copy.width, copy.height);
  return copy;
}

/** Where the cross is, and where the mouse is if it is over a panel: micrometres, zyx. */
export function places(viewer) {
  const space = viewer.coordinateSpace.value;
  const order = ["z", "y", "x"].map((axis) => space.names.indexOf(axis));
  const um = (position) => order.map((axis) => position[axis] * space.scales[axis] * 1e6);
  const cross = um(viewer.position.value);
  const mouse = viewer.mouseState.updateUnconditionally() ? um(viewer.mouseState.position) : null;
  return { cross, mouse };
}

/** Moves the cross to a place in micrometres, zyx. */
export function goTo(viewer, um) {
  const space = viewer.coordinateSpace.value;
  const position = Float32Array.from(viewer.position.value);
  ["z", "y", "x"].forEach((axis, number) => {
    const index = space.names.indexOf(axis);
    if (index >= 0) position[index] = um[number] / (space.scales[index] * 1e6);
  });
  viewer.position.value = position;
}

/** Zooms in until single objects can be told apart; never out. */
export function comeNear(viewer) {
  const state = stateOf(viewer);
  if ((state.crossSectionScale ?? 1) > 0.5) viewer.state.restoreState({ crossSectionScale: 0.5 });
}

/** How many micrometres the largest slice panel spans, zyx in view; for loading what is near. */
export function viewBox(viewer) {
  const space = viewer.coordinateSpace.value;
  const scale = Math.min(...["z", "y", "x"].map((a) => space.scales[space.names.indexOf(a)] ?? 1e-6)) * 1e6;
  const size = Math.max(viewer.element.clientWidth, viewer.element.clientHeight) / 2;
  const half = (viewer.crossSectionScale?.value ?? viewer.navigationState.zoomFactor.value) * scale * size * 0.5;
  const { cross } = places(viewer);
  return { low: cross.map((v) => v - half), high: cross.map((v) => v + half) };
}

function nextFrame(window) {
  return new Promise((done) => window.requestAnimationFrame(() => done()));
}
