// Objects of a layer as values: edits folded in, centres, words for people.

/** Returns an object with the fields of an edit. */
export function fold(object, { op, id, ...fields }) {
  const next = { ...object, ...fields };
  if (fields.properties) {
    next.properties = { ...object.properties, ...fields.properties };
    for (const [name, value] of Object.entries(next.properties)) if (value === null) delete next.properties[name];
  }
  return next;
}

/** The ids that a batch concerns. */
export function touched(batch) { return new Set((batch.edits ?? []).map((edit) => edit.id)); }

/** The middle of an object in micrometres, zyx. */
export function centre({ points }) {
  return [0, 1, 2].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length);
}

export function distance(a, b) { return Math.hypot(...a.map((v, axis) => v - b[axis])); }

export function title(object) {
  const name = typeof object.id === "number" ? `#${object.id}` : "new";
  return `${name} ${object.class ?? "no class"}`;
}

export function place(object) { return centre(object).map((v) => v.toFixed(1)).join(", "); }
