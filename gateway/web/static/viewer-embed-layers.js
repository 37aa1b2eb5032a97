// Layers in a few words: whether each is shown, in which colour, between which intensities.

function controls(layer) {
  return layer?.shaderControlState?.state ?? layer?.annotationDisplayState?.shaderControls?.state;
}

/** Tells of every layer by name: type, visible, and what can be set of it. */
export function layersOf(viewer) {
  const said = {};
  for (const managed of viewer.layerManager.managedLayers) {
    const state = managed.toJSON() ?? {};
    const about = { type: state.type ?? "new", visible: managed.visible };
    const shader = controls(managed.layer);
    const contrast = shader?.get("contrast")?.trackable.value?.range;
    if (contrast) about.contrast = [...contrast].map(Number);
    const colour = shader?.get("colour")?.trackable.value;
    if (colour) about.colour = `#${[...colour].map((v) => Math.round(v * 255).toString(16).padStart(2, "0")).join("")}`;
    const size = shader?.get("size")?.trackable.value;
    if (size) about.size = size;
    const opacity = managed.layer?.opacity?.value;
    if (opacity !== undefined) about.opacity = opacity;
    said[managed.name] = about;
  }
  return said;
}

/** Makes layers as wanted, by name; what is not named stays as it is. */
export function setLayers(viewer, wanted) {
  for (const managed of viewer.layerManager.managedLayers) {
    const want = wanted[managed.name];
    if (!want) continue;
    if (want.visible !== undefined && want.visible !== managed.visible) managed.setVisible(want.visible);
    const shader = controls(managed.layer);
    const put = (name, value) => value !== undefined && shader?.get(name)?.trackable.restoreState(value);
    if (want.contrast) {
      const control = shader?.get("contrast")?.trackable;
      control?.restoreState({ ...control.toJSON(), range: want.contrast });
    }
    put("colour", want.colour);
    put("size", want.size);
    if (want.opacity !== undefined) managed.layer?.opacity?.restoreState(want.opacity);
  }
}

/** Returns a layer of a state with what is wanted of it. */
export function withLook(layer, want) {
  if (!want) return layer;
  const made = { ...layer, shaderControls: { ...layer.shaderControls } };
  if (want.visible !== undefined) made.visible = want.visible;
  if (want.opacity !== undefined) made.opacity = want.opacity;
  if (want.contrast) made.shaderControls.contrast = { ...made.shaderControls.contrast, range: want.contrast };
  if (want.colour) made.shaderControls.colour = want.colour;
  if (want.size) made.shaderControls.size = want.size;
  return made;
}
