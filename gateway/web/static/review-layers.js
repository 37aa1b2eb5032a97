// Makes a layer and opens it.

import { ask, root } from "./viewer-api.js";

document.getElementById("new-layer")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const given = new FormData(form);
  const problem = document.getElementById("layer-error");
  const classes = given.get("classes").split(",").map((name) => name.trim()).filter(Boolean);
  const body = { name: given.get("name").trim(), volume: given.get("volume"), classes, points: given.get("points") || null };
  form.querySelector("button").disabled = true;
  try {
    await ask(`/api/layers/${form.dataset.dataset}`, { method: "POST", body });
    location.href = `${root}/d/${form.dataset.dataset}/review/${body.name}`;
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
    form.querySelector("button").disabled = false;
  }
});
