// Edits that are made and not yet acknowledged, kept by the browser until they are.

export class Outbox {
  constructor(name) {
    this.name = name;
    this.entries = this.read();
    this.versions = new Set();
  }

  read() {
    try {
      return JSON.parse(localStorage.getItem(this.name)) ?? [];
    } catch {
      return [];
    }
  }

  keep() {
    try {
      if (this.entries.length) localStorage.setItem(this.name, JSON.stringify(this.entries));
      else localStorage.removeItem(this.name);
      this.kept = true;
    } catch {
      this.kept = false; // a browser that keeps nothing: leaving the page then asks first
    }
  }

  add(entry) {
    this.entries.push({ key: randomName(), at: Date.now(), refused: null, ...entry });
    this.keep();
  }

  waiting() { return this.entries.filter((entry) => !entry.refused); }

  refused() { return this.entries.filter((entry) => entry.refused); }

  first() { return this.waiting()[0] ?? null; }

  done(key) {
    this.entries = this.entries.filter((entry) => entry.key !== key);
    this.keep();
  }

  change(key, values) {
    Object.assign(this.entries.find((entry) => entry.key === key) ?? {}, values);
    this.keep();
  }

  refuse(key, message) { this.change(key, { refused: message }); }

  retry(key) { this.change(key, { refused: null }); }

  /** Takes note that a version was made by this page. */
  own(version) { this.versions.add(version); }

  /** Names objects as the service does, once it has named them. */
  rename(names) {
    for (const entry of this.entries) {
      for (const edit of entry.edits) if (names.has(edit.id)) edit.id = names.get(edit.id);
      if (names.has(entry.object)) entry.object = names.get(entry.object);
    }
    this.keep();
  }

  /** Moves what waits on to a version, unless somebody else changed the same objects in it. */
  advance(batch, ids) {
    for (const entry of this.entries) {
      const clear = this.versions.has(batch.version) || !entry.edits.some((edit) => ids.has(edit.id));
      if (entry.base === batch.version - 1 && clear) entry.base = batch.version;
    }
    this.keep();
  }
}

/** A name nobody else has; `crypto.randomUUID` is there only under TLS and on this machine. */
export function randomName() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((v) => v.toString(16).padStart(2, "0")).join("");
}
