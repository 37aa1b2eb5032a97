// The queue: hands out one object after another, counts, and measures the seconds of a decision.

import { ask } from "./viewer-api.js";
import { randomName } from "./review-outbox.js";

const RENEW_MS = 120_000;

export class Queue {
  constructor(store, show) {
    this.store = store;
    this.show = show;
    this.current = null;
    this.object = null;
    // a reload of the page gets its object again, another page another one
    this.client = sessionStorage.getItem("gateway.review.page") ?? randomName();
    sessionStorage.setItem("gateway.review.page", this.client);
    this.shownAt = 0;
    this.away = 0;
    document.addEventListener("visibilitychange", () => this.pause());
    store.addEventListener("settled", ({ detail }) => this.settled(detail));
    setInterval(() => { if (this.object && !document.hidden) this.ask().catch(() => {}); }, RENEW_MS);
  }

  get active() { return this.current !== null; }

  list() { return ask(`${this.store.path}/queues`).then((told) => told.queues); }

  make(values) { return ask(`${this.store.path}/queues`, { method: "POST", body: values }); }

  async start(queue) {
    this.current = queue;
    this.hand(await this.ask());
  }

  async stop() {
    const { id } = this.current;
    this.current = null;
    this.object = null;
    await ask(`${this.store.path}/queues/${id}/release`, { method: "POST", body: { client: this.client } });
  }

  ask() { return ask(`${this.store.path}/queues/${this.current.id}/next`, { method: "POST", body: { client: this.client } }); }

  hand(told) {
    if (!this.active || !told) return;
    this.current = told.queue ?? this.current;
    this.object = told.object;
    if (told.object) this.store.take([told.object]);
    this.shownAt = performance.now();
    this.away = 0;
    this.show(told.object);
  }

  /** Seconds the object has been looked at: time in another window does not count. */
  seconds() { return Math.min(86_400, (performance.now() - this.shownAt - this.away) / 1000); }

  pause() {
    if (document.hidden) this.hiddenAt = performance.now();
    else if (this.hiddenAt) { this.away += performance.now() - this.hiddenAt; this.hiddenAt = 0; }
  }

  /** Decides on the object in hand by an edit of it, or skips it. */
  decide(edits, skip = false) {
    if (!this.object) return null;
    const object = this.object.id;
    this.object = null;
    const more = { kind: "decision", queue: this.current.id, object, skip, seconds: this.seconds(), client: this.client };
    return this.store.edit(edits, {}, more);
  }

  settled({ entry, answer }) {
    if (entry.kind === "decision" && entry.queue === this.current?.id) this.hand(answer.next);
  }
}
