// What the panel shows: the object, conflicts, classes, the queue, lists.

import { place, title } from "./review-objects.js";

const MOST_LISTED = 300;
const part = (name) => document.getElementById(`review-${name}`);

export function showState(store, blocks) {
  const waiting = store.outbox.waiting().length;
  const state = part("state");
  const [text, kind] = !store.connected ? [waiting ? `no connection, ${waiting} unsent` : "no connection", "bad"]
    : waiting ? [`sending ${waiting}`, "warn"] : blocks.loading ? ["loading", ""] : ["all saved", "good"];
  state.textContent = text;
  state.className = `badge ${kind}`;
  const shown = store.shown().size;
  part("counts").textContent = `${shown.toLocaleString()} loaded, version ${store.known}${blocks.partial ? "; zoom in for all" : ""}`;
}

export function showObject(object) {
  part("object-title").textContent = object ? title(object) : "No object chosen";
  const facts = object ? [["Status", object.status], ["Class", object.class ?? "none"], ["At z, y, x", `${place(object)} µm`],
    ...Object.entries(object.properties ?? {}).map(([name, value]) => [name, typeof value === "number" ? String(+value.toPrecision(5)) : String(value)])] : [];
  const list = document.createElement("dl");
  list.className = "facts";
  for (const [name, value] of facts) list.append(make("dt", name), make("dd", value));
  part("object").replaceChildren(facts.length ? list : make("p", "Press n for the next, or click one with g.", "help"));
  const comment = part("comment");
  if (comment && document.activeElement !== comment) {
    comment.value = object?.comment ?? "";
    comment.disabled = !object;
  }
  for (const button of part("classes")?.querySelectorAll("button") ?? []) {
    button.setAttribute("aria-pressed", String(Boolean(object) && button.dataset.class === object.class));
  }
  for (const name of ["accept", "reject", "remove"]) {
    const button = document.querySelector(`[data-do="${name}"]`);
    if (button) button.disabled = !object;
  }
}

export function showClasses(classes, choose) {
  part("classes")?.replaceChildren(...classes.map((each) => {
    const item = document.createElement("li");
    const button = make("button", "", "quiet small");
    button.dataset.class = each.name;
    button.append(swatch(each.color), each.name);
    if (each.key) { const key = make("kbd", String(each.key)); button.append(key); }
    button.addEventListener("click", () => choose(each.name));
    item.append(button);
    return item;
  }));
}

export function showTroubles(store) {
  const conflicts = store.conflicts.map((conflict) => notice("warn",
    `${conflict.by ?? "Somebody"} changed #${conflict.id} before your change of ${conflict.fields.join(", ") || "it"} arrived.`,
    [["Theirs", words(conflict.theirs, conflict.fields)], ["Yours", words(conflict.yours ?? conflict.mine, conflict.fields)]],
    [["Keep theirs", () => store.resolve(conflict, false)], ...(conflict.theirs && conflict.mine ? [["Use mine", () => store.resolve(conflict, true)]] : [])]));
  const refused = store.outbox.refused().map((entry) => notice("bad", `An edit was refused: ${entry.refused}`, [], [
    ["Try again", () => { store.outbox.retry(entry.key); store.send(); }],
    ["Discard", () => { store.outbox.done(entry.key); store.tell(); }],
  ]));
  part("troubles").replaceChildren(...conflicts, ...refused);
}

export function showList(objects, current, choose) {
  if (!part("list").open) return;
  const listed = objects.slice(0, MOST_LISTED).map((object) => {
    const item = document.createElement("li");
    const button = make("button", "", "quiet small");
    button.append(make("span", title(object), "clip"), make("span", object.status, `badge ${{ accepted: "good", rejected: "bad" }[object.status] ?? ""}`));
    button.setAttribute("aria-current", String(object.id === current));
    button.addEventListener("click", () => choose(object));
    item.append(button);
    return item;
  });
  const rest = objects.length - listed.length;
  part("objects").replaceChildren(...listed, ...(rest > 0 ? [make("li", `and ${rest} more: zoom in`, "help")] : []));
}

export function showQueue(queue, queues, acts) {
  const target = part("queue");
  if (!target) return;
  if (queue.active) {
    const told = queue.current;
    const done = told.done ?? 0;
    const bar = document.createElement("progress");
    bar.max = told.total || 1;
    bar.value = done;
    bar.setAttribute("aria-label", "Decided");
    target.replaceChildren(make("p", `${done} of ${told.total} decided${told.skipped ? `, ${told.skipped} skipped` : ""}${queue.object ? "" : "; none left for you"}`), bar,
      row(["Skip", acts.skip], ["Stop", acts.stop]));
  } else {
    target.replaceChildren(...(queues.length ? queues.slice(0, 6).map((each) => row([`Go on with ${orderOf(each)}: ${each.done ?? 0} of ${each.total}`, () => acts.start(each)])) : [make("p", "None yet.", "help")]));
  }
}

export function showVersions(batches, restore) {
  part("history").replaceChildren(...batches.map((batch) => {
    const item = document.createElement("li");
    item.append(make("span", `${batch.version}: ${batch.action} of ${batch.count} by ${batch.person}, ${new Date(batch.at).toLocaleString()}`, "help"));
    if (restore) item.append(row(["Go back to this", () => restore(batch)]));
    return item;
  }));
}

function orderOf({ order }) {
  if (order?.column) return `${order.column}${order.descending ? ", highest first" : ""}`;
  return order?.seed === null || order?.seed === undefined ? "all" : "random order";
}

function words(object, fields) {
  if (!object) return "deleted";
  const told = (fields.length ? fields : ["class", "status"]).map((name) => (name === "points" ? "its place" : `${name} ${object[name] ?? object.properties?.[name] ?? "none"}`));
  return object.op === "delete" ? "deleted" : told.join(", ");
}

function notice(kind, text, facts, buttons) {
  const box = make("div", "", `notice ${kind}`);
  const list = document.createElement("dl");
  list.className = "facts";
  for (const [name, value] of facts) list.append(make("dt", name), make("dd", value));
  box.append(make("p", text), list, row(...buttons));
  return box;
}

function row(...buttons) {
  const line = make("p", "", "row");
  line.append(...buttons.map(([label, act], place_) => {
    const button = make("button", label, place_ ? "small quiet" : "small");
    button.addEventListener("click", act);
    return button;
  }));
  return line;
}

function swatch(colour) {
  const space = "http://www.w3.org/2000/svg";
  const icon = document.createElementNS(space, "svg");
  for (const [name, value] of Object.entries({ width: 14, height: 14, "aria-hidden": "true" })) icon.setAttribute(name, value);
  const dot = document.createElementNS(space, "circle");
  for (const [name, value] of Object.entries({ cx: 7, cy: 7, r: 6, fill: colour })) dot.setAttribute(name, value);
  icon.append(dot);
  return icon;
}

function make(tag, text, style = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = style;
  return element;
}
