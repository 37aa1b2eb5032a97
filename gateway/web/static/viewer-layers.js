// The list of layers: on and off, colour.

export function showLayers({ viewer }) {
  const list = document.getElementById("layer-list");
  const managed = viewer.layerManager.managedLayers;
  if (list.contains(document.activeElement) && list.children.length === managed.length) {
    // keep the focus where it is; only the marks may have changed
    managed.forEach((layer, number) => {
      list.children[number].querySelector("[type=checkbox]").checked = layer.visible;
    });
    return;
  }
  list.replaceChildren(...managed.map((layer) => row(layer)));
}

function row(layer) {
  const item = document.createElement("li");
  const label = document.createElement("label");
  const box = document.createElement("input");
  box.type = "checkbox";
  box.checked = layer.visible;
  box.addEventListener("change", () => layer.setVisible(box.checked));
  const name = document.createElement("span");
  name.className = "clip";
  name.textContent = layer.name;
  name.title = layer.name;
  label.append(box, name);
  item.append(label);
  const state = layer.toJSON() ?? {};
  const colour = layer.layer?.shaderControlState?.state?.get("colour")
    ?? layer.layer?.annotationDisplayState?.shaderControls?.state?.get("colour");
  if (colour) item.append(picker(layer, colour));
  const kind = document.createElement("span");
  kind.className = "badge";
  kind.textContent = { segmentation: "labels", annotation: "points" }[state.type] ?? state.type ?? "";
  item.append(kind);
  return item;
}

function picker(layer, colour) {
  const input = document.createElement("input");
  input.type = "color";
  input.setAttribute("aria-label", `Colour of ${layer.name}`);
  const [red, green, blue] = colour.trackable.value;
  const hex = (v) => Math.round(v * 255).toString(16).padStart(2, "0");
  input.value = `#${hex(red)}${hex(green)}${hex(blue)}`;
  input.addEventListener("input", () => colour.trackable.restoreState(input.value));
  return input;
}
