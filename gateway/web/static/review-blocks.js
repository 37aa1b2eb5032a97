// Loads the objects of the blocks in view, and of no others.

import { ask } from "./viewer-api.js";
import { viewBox } from "./viewer-client.js";

const MOST_PAGES = 4;
const MOST_OBJECTS = 60_000;
const AT_ONCE = 4;

export class Blocks {
  constructor(store, viewer) {
    this.store = store;
    this.viewer = viewer;
    this.loaded = new Map();
    this.partial = false;
    this.most = MOST_OBJECTS;
    this.loading = 0;
    let waiting = 0;
    const soon = () => { clearTimeout(waiting); waiting = setTimeout(() => this.loadView(), 250); };
    viewer.position.changed.add(soon);
    viewer.crossSectionScale?.changed?.add(soon);
    viewer.navigationState.changed.add(soon);
    store.addEventListener("reload", () => { this.forget(); this.loadView(); });
  }

  forget() {
    this.loaded.clear();
    this.store.objects.clear();
    this.partial = false;
  }

  /** Loads the blocks that the planes show now. */
  async loadView() {
    const { low, high } = viewBox(this.viewer);
    await this.load(low, high);
  }

  /** Loads the block around a place, whatever is in view. */
  async loadAt(um) {
    const half = this.store.layer.block_um / 2;
    this.drop(um);
    await this.load(um.map((v) => v - half), um.map((v) => v + half), this.store.layer.block_um);
  }

  async load(low, high, edge = this.edge(low, high)) {
    const fresh = () => this.names(low, high, edge).filter((name) => !this.loaded.has(name));
    if (!fresh().length) return;
    if (this.store.objects.size > this.most) this.forget();
    const wanted = fresh();
    wanted.forEach((name) => this.loaded.set(name, false));
    this.loading += 1;
    this.store.tell();
    try {
      while (wanted.length && !this.full()) await Promise.all(wanted.splice(0, AT_ONCE).map((name) => this.loadBlock(name)));
    } finally {
      this.loading -= 1;
      this.store.tell();
    }
  }

  /** Whether more than a browser draws at ease is here; the rest comes when one has zoomed in. */
  full() {
    const full = this.store.objects.size > this.most;
    this.partial ||= full;
    return full;
  }

  /** Blocks grow with the view, so that a view holds at most some dozens of them. */
  edge(low, high) {
    const wide = Math.max(...high.map((v, axis) => v - low[axis]));
    const base = this.store.layer.block_um;
    return base * 2 ** Math.max(0, Math.ceil(Math.log2(wide / 2 / base)));
  }

  names(low, high, edge) {
    const [lowest, highest] = this.store.layer.bounds_um;
    const range = [0, 1, 2].map((axis) => {
      const from = Math.floor((Math.max(low[axis], lowest[axis]) - lowest[axis]) / edge);
      const to = Math.floor((Math.min(high[axis], highest[axis]) - lowest[axis]) / edge);
      return Array.from({ length: Math.max(0, to - from + 1) }, (_, step) => from + step);
    });
    return range[0].flatMap((z) => range[1].flatMap((y) => range[2].map((x) => [edge, z, y, x].join(" "))));
  }

  drop(um) {
    for (const name of this.loaded.keys()) {
      const [edge, ...place] = name.split(" ").map(Number);
      const inside = place.every((v, axis) => Math.floor((um[axis] - this.store.layer.bounds_um[0][axis]) / edge) === v);
      if (inside) this.loaded.delete(name);
    }
  }

  async loadBlock(name) {
    const [edge, ...place] = name.split(" ").map(Number);
    const lowest = this.store.layer.bounds_um[0];
    const box = place.map((v, axis) => `${lowest[axis] + v * edge}:${lowest[axis] + (v + 1) * edge}`).join(",");
    let after = null;
    try {
      for (let page = 0; page < MOST_PAGES; page += 1) {
        const query = new URLSearchParams({ box, ...(after ? { after } : {}) });
        const told = await ask(`${this.store.path}/objects?${query}`);
        // a page older than what is known would bring back what was changed since
        if (told.version < this.store.known) await this.store.catchUp().catch(() => {});
        this.store.take(told.objects.filter((each) => (this.store.objects.get(each.id)?.version ?? -1) <= (each.version ?? 0)));
        if (told.version > this.store.known) await this.store.catchUp().catch(() => {});
        after = told.next;
        this.store.tell();
        if (!after || this.full()) break;
      }
      this.partial ||= Boolean(after);
      this.loaded.set(name, true);
    } catch (error) {
      this.loaded.delete(name);
      this.store.dispatchEvent(new CustomEvent("trouble", { detail: error.message }));
    }
  }
}
