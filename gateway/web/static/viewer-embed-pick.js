// A click in a panel: which point or which object lies there, and where that is.

import { places } from "./viewer-client.js";

const SLIP = 4;
/** Pixels that a finger may slip between press and release; more is a drag. */

const READ_MS = 100;

/** Calls back with what each click hit: layer, type, id, place; and the value of every layer. */
export function picked(viewer, call) {
  let down = null;
  window.addEventListener("pointerdown", (event) => {
    down = event.button === 0 && event.target.closest?.(".neuroglancer-rendered-data-panel") ? event : null;
  }, true);
  window.addEventListener("pointerup", (event) => {
    if (!down || Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) > SLIP) return;
    down = null;
    // the client reads back what lies under the mouse a few frames after it has come there
    setTimeout(() => {
      const { mouseState } = viewer;
      if (!mouseState.updateUnconditionally()) return;
      call({ position_um: places(viewer).mouse, values: values(viewer), ...hit(viewer, mouseState) });
    }, READ_MS);
  }, true);
}

function hit(viewer, mouse) {
  if (mouse.pickedAnnotationId !== undefined) {
    const owner = viewer.layerManager.managedLayers.find((managed) =>
      managed.layer?.annotationStates?.states?.some((state) => state === mouse.pickedAnnotationLayer));
    return { layer: owner?.name ?? "", type: "annotation", id: String(mouse.pickedAnnotationId) };
  }
  for (const managed of shown(viewer)) {
    const value = valueOf(viewer, managed);
    if (managed.layer?.displayState?.segmentationGroupState && value && value !== "0") {
      return { layer: managed.name, type: "segmentation", id: value };
    }
  }
  return { layer: "", type: "", id: "" };
}

/** The value of every shown layer under the mouse, as text: labels may exceed what a number holds. */
function values(viewer) {
  const said = {};
  for (const managed of shown(viewer)) {
    const value = valueOf(viewer, managed);
    if (value !== undefined) said[managed.name] = value;
  }
  return said;
}

function shown(viewer) {
  return viewer.layerManager.managedLayers.filter((managed) => managed.visible && managed.layer);
}

function valueOf(viewer, managed) {
  viewer.layerSelectedValues.update();
  const state = viewer.layerSelectedValues.get(managed.layer);
  let value = state?.value;
  if (value && typeof value === "object") value = value.key ?? value.value ?? (Array.isArray(value) ? value[0] : undefined);
  return value === undefined || value === null ? undefined : String(value);
}
