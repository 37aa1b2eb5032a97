// What is known of a layer: objects as the service has them, and own edits on top of them.
//
// Own edits wait in an outbox that outlives a reload, each under a key of its own, so that one sent
// twice is applied once. Each goes out with the version it was made on. A batch of somebody else
// moves that version on only where it concerns other objects: else the service must see a conflict.

import { ask, root } from "./viewer-api.js";
import { fold, touched } from "./review-objects.js";
import { Outbox } from "./review-outbox.js";

export class Store extends EventTarget {
  constructor(layer, me) {
    super();
    this.path = `/api/layers/${layer.dataset}/${layer.name}`;
    this.layer = layer;
    this.known = layer.version;
    this.objects = new Map();
    this.conflicts = [];
    this.connected = true;
    this.outbox = new Outbox(`gateway.outbox.${layer.dataset}.${layer.name}.${me}`);
    this.renamed = new Map();
    this.sending = null;
    this.pause = 0;
    this.stale = false;
  }

  /** Tells listeners that what is shown may have changed. */
  tell() { this.dispatchEvent(new Event("change")); }

  follow() {
    const line = new EventSource(`${root}${this.path}/events?since=${this.known}`);
    const fresh = () => this.catchUp();
    line.addEventListener("batch", fresh);
    line.addEventListener("reload", fresh);
    line.addEventListener("open", () => { this.setConnected(true); this.send(); });
    line.addEventListener("error", () => this.setConnected(false));
    addEventListener("online", () => this.send());
    this.send();
  }

  setConnected(connected) {
    if (this.connected !== connected) { this.connected = connected; this.tell(); }
  }

  /** Objects as they are shown: as the service has them, with what waits in the outbox. */
  shown() {
    const shown = new Map(this.objects);
    for (const entry of this.outbox.waiting()) {
      entry.edits.forEach((edit, place) => {
        if (edit.op === "create") shown.set(entry.temps[place], fold({ id: entry.temps[place], status: "undecided", class: null, comment: null, properties: {} }, edit));
        else if (edit.op === "delete") shown.delete(edit.id);
        else if (shown.has(edit.id)) shown.set(edit.id, fold(shown.get(edit.id), edit));
      });
    }
    return shown;
  }

  one(id) { return this.shown().get(this.nameOf(id)) ?? null; }

  nameOf(id) { return this.renamed.get(id) ?? id; }

  /** Puts what a box holds in place of what was known of these objects. */
  take(objects) { for (const each of objects) this.objects.set(each.id, each); }

  /** Makes a batch of edits; it is kept before it is sent. `temps` name the objects it makes. */
  edit(edits, temps = {}, more = {}) {
    const named = edits.map((edit) => (edit.id === undefined ? edit : { ...edit, id: this.nameOf(edit.id) }));
    this.outbox.add({ kind: "edits", base: this.known, edits: named, temps, ...more });
    this.tell();
    return this.send();
  }

  /** Undoes or does again one's own last batch, after all that waits. */
  step(kind) {
    this.outbox.add({ kind, base: this.known, edits: [], temps: {} });
    this.tell();
    return this.send();
  }

  send() {
    this.sending ??= this.sendAll().finally(() => { this.sending = null; this.tell(); });
    return this.sending;
  }

  async sendAll() {
    for (let entry = this.outbox.first(); entry; entry = this.outbox.first()) {
      try {
        const answer = await this.post(entry);
        this.pause = 0;
        this.setConnected(true);
        await this.settle(entry, answer);
      } catch (error) {
        if (!this.refuse(entry, error)) return;
      }
    }
  }

  post({ kind, key, base, edits, queue, object, seconds, skip, client }) {
    if (kind === "decision") return ask(`${this.path}/queues/${queue}/decisions`, { method: "POST", body: { object, base, edits, seconds, skip, key, client } });
    if (kind === "edits") return ask(`${this.path}/edits`, { method: "POST", body: { base, edits, key } });
    return ask(`${this.path}/${kind}`, { method: "POST", body: { key } });
  }

  async settle(entry, answer) {
    let place = 0;
    entry.edits.forEach((edit, number) => {
      if (edit.op !== "create") return;
      const id = answer.created?.[place];
      place += 1;
      if (id) this.renamed.set(entry.temps[number], id);
    });
    this.outbox.rename(this.renamed);
    for (const conflict of answer.conflicts ?? []) {
      this.conflicts.push({ ...conflict, mine: entry.edits[conflict.edit], kind: entry.kind });
      if (conflict.theirs) this.objects.set(conflict.id, conflict.theirs);
      else this.objects.delete(conflict.id);
    }
    this.outbox.own(answer.version);
    try {
      await this.catchUp();
    } catch { /* the edit is kept there; what others did comes with the line */ }
    this.outbox.done(entry.key);
    this.dispatchEvent(new CustomEvent("settled", { detail: { entry, answer } }));
    this.tell();
  }

  /** Deals with a failed entry; returns whether the next may be sent. */
  refuse(entry, error) {
    const passing = !error.status || error.status >= 500 || error.status === 429;
    if (passing || error.status === 401) {
      this.setConnected(false);
      this.pause = Math.min(15_000, (this.pause || 500) * 2);
      setTimeout(() => this.send(), this.pause);
      if (error.status === 401) this.dispatchEvent(new CustomEvent("trouble", { detail: error.message }));
      return false;
    }
    if (entry.kind === "decision" && entry.edits.length) this.outbox.change(entry.key, { kind: "edits" });
    else this.outbox.refuse(entry.key, error.message);
    this.dispatchEvent(new CustomEvent("trouble", { detail: error.message }));
    return true;
  }

  /** Takes in what was done since the version that is known. */
  catchUp() {
    this.catching = (this.catching ?? Promise.resolve()).catch(() => {}).then(() => this.takeBatches());
    return this.catching;
  }

  async takeBatches() {
    for (;;) {
      const told = await ask(`${this.path}/edits?since=${this.known}`);
      for (const batch of told.batches) this.takeBatch(batch);
      const reload = told.reload || told.batches.some((batch) => batch.reload);
      if (reload) this.known = Math.max(this.known, told.version);
      if (reload) this.dispatchEvent(new Event("reload"));
      if (told.batches.length || reload) this.tell();
      if (!told.more || reload) return;
    }
  }

  takeBatch(batch) {
    if (batch.version <= this.known) return;
    for (const { id, before, after } of batch.edits ?? []) {
      if (after === null) this.objects.delete(id);
      else if (before === null) this.objects.set(id, { id, ...after, version: batch.version });
      else if (this.objects.has(id)) this.objects.set(id, { ...fold(this.objects.get(id), after), version: batch.version });
    }
    if (batch.action === "classes") this.dispatchEvent(new Event("classes"));
    this.outbox.advance(batch, touched(batch));
    this.known = batch.version;
  }

  /** Ends a conflict: theirs stays, or ours is made anew on what is there now. */
  resolve(conflict, mine) {
    this.conflicts = this.conflicts.filter((each) => each !== conflict);
    const { op, id, ...fields } = conflict.mine ?? {};
    if (mine && op === "delete" && conflict.theirs) this.edit([{ op, id }]);
    else if (mine && op === "set" && conflict.theirs) this.edit([{ op, id: conflict.id, ...fields }]);
    this.tell();
  }
}
