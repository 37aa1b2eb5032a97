// The entry of the review page: the viewer, a layer over it, keys.

import { begin } from "./viewer.js";
import { ask, say } from "./viewer-api.js";
import { comeNear, goTo, places, stateOf } from "./viewer-client.js";
import { Blocks } from "./review-blocks.js";
import { bindKeys } from "./review-keys.js";
import { centre } from "./review-objects.js";
import { randomName } from "./review-outbox.js";
import { Painting, reviewLayer } from "./review-paint.js";
import { showClasses, showList, showObject, showQueue, showState, showTroubles, showVersions } from "./review-panel.js";
import { Queue } from "./review-queue.js";
import { Store } from "./review-store.js";

const side = document.getElementById("review");
const dataset = document.getElementById("client").dataset.dataset;
const may = Boolean(side.dataset.may);
let store, blocks, painting, queue, viewer;
let current = null;
let queues = [];
let drawing = 0;
let near = false;

async function start() {
  try {
    const layer = await ask(`/api/layers/${dataset}/${side.dataset.layer}`);
    viewer = await begin((state) => withLayer(state));
    if (!viewer) return;
    store = new Store(layer, side.dataset.me);
    painting = new Painting(viewer, heard);
    await painting.open();
  } catch (error) {
    say(error.message, true);
    return;
  }
  painting.source.readonly = !may;
  blocks = new Blocks(store, viewer);
  queue = new Queue(store, (object) => (object ? choose(object) : refresh()));
  store.addEventListener("change", refresh);
  store.addEventListener("trouble", ({ detail }) => say(detail, true));
  store.addEventListener("classes", reloadClasses);
  showClasses(store.layer.classes, setClass);
  wire();
  store.follow();
  await blocks.loadView();
  queues = await queue.list().catch(() => []);
  refresh();
  document.body.dataset.review = "ready";
}

/** Only the volume of the layer is shown at first, with its objects over it. */
function withLayer(state) {
  const mine = `/${side.dataset.volume}.ome.zarr`;
  for (const layer of state.layers) {
    if (layer.type === "annotation") layer.visible = false;
    else layer.visible = JSON.stringify(layer.source).includes(mine);
  }
  state.layers.push(reviewLayer());
  state.selectedLayer = { layer: "review", visible: false };
  return state;
}

function wire() {
  const acts = { next: () => step(1), previous: () => step(-1), accept: () => decide({ status: "accepted" }), reject: () => decide({ status: "rejected" }),
    undo: () => may && store.step("undo"), redo: () => may && store.step("redo"), remove, load: loadBlock, hide, list, pick, skip, comment, setClass: (number) => setClass(classOf(number)) };
  bindKeys(document.getElementById("client"), acts);
  side.addEventListener("click", (event) => acts[event.target.closest("[data-do]")?.dataset.do]?.());
  document.querySelector('[data-act="panel"]').addEventListener("click", (event) => {
    side.hidden = !side.hidden;
    event.currentTarget.setAttribute("aria-expanded", String(!side.hidden));
  });
  document.getElementById("review-comment")?.addEventListener("change", (event) => change({ comment: event.target.value.trim() || null }));
  document.getElementById("review-shape")?.addEventListener("change", (event) => painting.make(event.target.value));
  document.getElementById("review-list").addEventListener("toggle", refresh);
  document.getElementById("review-versions").addEventListener("toggle", versions);
  wireQueue();
  addEventListener("beforeunload", (event) => { if (store.outbox.waiting().length && !store.outbox.kept) event.preventDefault(); });
}

function wireQueue() {
  const form = document.getElementById("review-queue-form");
  if (!form) return;
  const field = (name) => document.getElementById(`review-${name}`);
  field("column").replaceChildren(...["id", ...store.layer.columns, "z_um", "y_um", "x_um"].map((name) => new Option(name)));
  field("only").replaceChildren(new Option("all", ""), ...store.layer.classes.map((each) => new Option(each.name)));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const values = { column: field("column").value, descending: field("descending").checked, label: field("only").value || null };
    try {
      const made = await queue.make(values);
      field("new").open = false;
      field("queue-error").hidden = true;
      await queue.start(made);
    } catch (error) {
      field("queue-error").textContent = error.message;
      field("queue-error").hidden = false;
    }
    refresh();
  });
}

function heard({ made, moved, gone, shape, points }) {
  if (made) {
    store.edit([{ op: "create", shape, points }], { 0: made });
    current = made;
  } else if (moved !== undefined) {
    current = store.nameOf(moved);
    if (inHand()) decideInQueue({ points }, false);
    else store.edit([{ op: "set", id: moved, points }]);
  } else {
    store.edit([{ op: "delete", id: gone }]);
  }
  refresh();
}

const object = () => store.one(current);
const inHand = () => queue.active && queue.object && queue.object.id === store.nameOf(current);

function sorted() {
  return [...store.shown().values()].sort((a, b) => (typeof a.id === "number" ? a.id : Infinity) - (typeof b.id === "number" ? b.id : Infinity));
}

function step(by) {
  if (queue.active && by > 0 && queue.object) { choose(queue.object); return; }
  const all = sorted();
  if (!all.length) { say("No object is loaded here; zoom out, or press l over a block."); return; }
  const at = all.findIndex((each) => each.id === store.nameOf(current));
  choose(all[(at + by + all.length) % all.length] ?? all[0]);
}

function choose(chosen) {
  current = chosen.id;
  // from far one cannot judge a nucleus; once near, the zoom is one's own
  if (!near) comeNear(viewer);
  near = true;
  goTo(viewer, centre(chosen));
  refresh();
}

function change(fields) {
  if (!may || !object()) return;
  store.edit([{ op: "set", id: current, ...fields }]);
}

/** Accepting, rejecting or classing what is in hand ends its turn in the queue. */
function decide(fields) {
  if (!may || !object()) return;
  if (inHand()) decideInQueue(fields);
  else change(fields);
}

function decideInQueue(fields, ends = true) {
  const edit = { op: "set", id: store.nameOf(current), ...fields };
  if (ends) queue.decide([edit]);
  else store.edit([edit]);
}

function setClass(name) { if (name) decide({ class: name, ...(inHand() ? { status: "accepted" } : {}) }); }

function classOf(number) {
  const found = store.layer.classes.find((each) => each.key === number);
  if (!found) say(`No class has the key ${number}.`);
  return found?.name;
}

function remove() {
  if (!may || !object()) return;
  if (inHand()) queue.decide([{ op: "delete", id: store.nameOf(current) }]);
  else store.edit([{ op: "delete", id: current }]);
}

function skip() { if (inHand()) queue.decide([], true); }

function pick() {
  const id = painting.picked();
  if (id !== null) { current = id; refresh(); }
}

async function loadBlock() {
  const { mouse, cross } = places(viewer);
  const before = store.objects.size;
  await blocks.loadAt(mouse ?? cross);
  say(`Loaded the block ${mouse ? "under the mouse" : "at the cross"}: ${store.objects.size - before} objects more.`);
}

function hide() { say(painting.toggle() ? "The layer is shown." : "The layer is hidden; h shows it again."); }

function list() {
  const box = document.getElementById("review-list");
  side.hidden = false;
  box.open = !box.open;
  refresh();
}

function comment() { side.hidden = false; document.getElementById("review-comment")?.focus(); }

async function versions() {
  if (!document.getElementById("review-versions").open) return;
  const told = await ask(`${store.path}/versions?limit=30`);
  showVersions(told.batches ?? told.versions, may ? restoreTo : null);
}

async function restoreTo(batch) {
  try {
    await ask(`${store.path}/restore`, { method: "POST", body: { version: batch.version, base: store.known, key: randomName() } });
    await store.catchUp();
    await versions();
  } catch (error) {
    say(error.message, true);
  }
}

async function reloadClasses() {
  store.layer.classes = (await ask(store.path)).classes;
  showClasses(store.layer.classes, setClass);
  refresh();
}

/** Once a frame at most: edits and batches come in bursts. */
function refresh() {
  if (drawing) return;
  drawing = requestAnimationFrame(() => { drawing = 0; draw(); });
}

function draw() {
  current = store.nameOf(current);
  painting.draw(store.shown(), store.layer.classes, current);
  showState(store, blocks);
  showObject(object());
  showTroubles(store);
  showList(sorted(), current, choose);
  showQueue(queue, queues, {
    skip,
    start: (each) => queue.start(each).then(refresh).catch((error) => say(error.message, true)),
    stop: () => queue.stop().then(() => queue.list()).then((all) => { queues = all; refresh(); }).catch((error) => say(error.message, true)),
  });
}

/** For tests and the curious: what the page knows. */
globalThis.gatewayReview = { get store() { return store; }, get blocks() { return blocks; }, get current() { return current; }, state: () => stateOf(viewer) };

start();
