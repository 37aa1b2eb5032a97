// Shows objects as a local annotation layer of the client, and hears what is done to them there.

const LAYER = "review";
const [POINT, LINE, BOX, POLYLINE] = [0, 1, 2, 4];
const STATUS = { undecided: 0, accepted: 1, rejected: 2 };
const PLAIN = "#ffd400";

/** The layer for the client's state; the tool says what CTRL+click makes. */
export function reviewLayer() {
  const um = [1e-6, "m"];
  return {
    type: "annotation",
    name: LAYER,
    source: { url: "local://annotations", transform: { outputDimensions: { z: um, y: um, x: um } } },
    tool: "annotatePoint",
    annotations: [],
    annotationProperties: [
      { id: "colour", type: "rgb", default: PLAIN },
      { id: "status", type: "uint8", default: 0 },
      { id: "current", type: "uint8", default: 0 },
    ],
    shader: `void main() {
  vec3 colour = prop_colour();
  float alpha = 0.9;
  if (prop_status() == uint(2)) { colour *= 0.35; alpha = 0.6; }
  setColor(vec4(colour, alpha));
  if (prop_current() == uint(1)) {
    setPointMarkerColor(vec4(colour, 0.15));  // what is judged must be seen
    setLineWidth(3.0);
    setBoundingBoxBorderWidth(3.0);
  }
  setPointMarkerSize(prop_current() == uint(1) ? 20.0 : 9.0);
  setPointMarkerBorderWidth(prop_current() == uint(1) ? 3.0 : 1.5);
  setPointMarkerBorderColor(prop_current() == uint(1) ? vec4(mix(colour, vec3(1.0), 0.4), 1.0)
    : prop_status() == uint(1) ? vec4(0.3, 1.0, 0.4, 1.0) : vec4(0.0, 0.0, 0.0, 0.8));
}
`,
  };
}

export class Painting {
  /** `heard` gets {made}, {moved, points} and {gone}. */
  constructor(viewer, heard) {
    this.viewer = viewer;
    this.heard = heard;
    this.drawn = new Map();
  }

  async open() {
    const deadline = Date.now() + 20_000;
    while (!this.source && Date.now() < deadline) {
      this.source = this.managed()?.layer?.localAnnotations;
      if (!this.source) await new Promise((done) => setTimeout(done, 50));
    }
    if (!this.source) throw new Error("the viewer did not open the annotation layer; reload the page");
    // the client opens its own details of what is made, which would move the picture under the mouse
    // between two corners; ours are beside it
    const { location } = this.viewer.selectionDetailsState;
    const hide = () => { if (location.visible) location.visible = false; };
    location.changed.add(hide);
    this.source.childCommitted.add((id) => this.committed(id));
    this.source.childDeleted.add((id) => {
      if (this.drawn.delete(id)) this.heard({ gone: nameOf(id) });
    });
  }

  managed() { return this.viewer.layerManager.managedLayers.find((layer) => layer.name === LAYER); }

  toggle() { const layer = this.managed(); layer.setVisible(!layer.visible); return layer.visible; }

  /** The object under the mouse, if any. */
  picked() {
    const { mouseState } = this.viewer;
    const id = mouseState.pickedAnnotationId;
    return id !== undefined && this.drawn.has(id) ? nameOf(id) : null;
  }

  /** Chooses what CTRL+click makes. */
  make(shape) {
    const tool = { point: "annotatePoint", line: "annotateLine", box: "annotateBoundingBox", polygon: "annotatePolyline" }[shape];
    this.managed().layer.tool.restoreState(tool);
  }

  committed(id) {
    const annotation = this.source.get(id);
    if (!annotation || this.source.pending?.has(id)) return;
    const points = pointsOf(annotation);
    if (!points) return;
    const before = this.drawn.get(id);
    if (!before) {
      this.drawn.set(id, { stamp: "" });
      this.heard({ made: id, shape: shapeOf(annotation, points), points });
    } else if (JSON.stringify(before.points) !== JSON.stringify(points)) {
      const moved = annotation.type === POLYLINE ? opened(points, before.points) : points;
      before.points = points;
      this.heard({ moved: nameOf(id), points: moved });
    }
  }

  /** Brings the drawing up to date; only what changed is touched. */
  draw(objects, classes, current) {
    const colours = new Map(classes.map((each) => [each.name, each.color]));
    const left = new Set(this.drawn.keys());
    let changed = false;
    for (const object of objects.values()) {
      const id = String(object.id);
      left.delete(id);
      const stamp = JSON.stringify([object.points, object.class, object.status, object.id === current]);
      if (this.drawn.get(id)?.stamp === stamp) continue;
      this.put(annotationOf(object, id, colours.get(object.class) ?? PLAIN, object.id === current));
      const annotation = this.source.annotationMap.get(id);
      this.drawn.set(id, { stamp, points: pointsOf(annotation) });
      changed = true;
    }
    for (const id of left) {
      this.drawn.delete(id);
      this.remove(id);
      changed = true;
    }
    if (changed) this.source.changed.dispatch();
  }

  put(annotation) {
    this.source.annotationMap.set(annotation.id, annotation);
    const reference = this.source.references.get(annotation.id);
    if (reference) { reference.value = annotation; reference.changed.dispatch(); }
  }

  remove(id) {
    this.source.annotationMap.delete(id);
    const reference = this.source.references.get(id);
    if (reference) { reference.value = null; reference.changed.dispatch(); }
  }
}

function nameOf(id) { return /^\d+$/.test(id) ? Number(id) : id; }

function annotationOf(object, id, colour, current) {
  const points = object.points.map((point) => Float32Array.from(point));
  const kind = { point: POINT, line: LINE, box: BOX, polygon: POLYLINE }[object.shape];
  const shape = kind === POINT ? { point: points[0] } : kind === POLYLINE ? { points: [...points, points[0]] } : { pointA: points[0], pointB: points[1] };
  return { id, type: kind, ...shape, description: object.comment ?? undefined, relatedSegments: undefined, properties: [pack(colour), STATUS[object.status] ?? 0, current ? 1 : 0] };
}

/** Red is the lowest byte, as the client packs colours. */
function pack(hex) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  return red + green * 256 + blue * 65536;
}

function pointsOf(annotation) {
  const points = annotation.point ? [annotation.point] : annotation.points ?? (annotation.pointA ? [annotation.pointA, annotation.pointB] : null);
  return points?.map((point) => Array.from(point)) ?? null;
}

function shapeOf(annotation, points) {
  if (annotation.type === POLYLINE) {
    const closed = points.length > 3 && points[0].every((v, axis) => v === points.at(-1)[axis]);
    if (closed) points.pop();
    return points.length < 3 ? "line" : "polygon";
  }
  return { [POINT]: "point", [LINE]: "line", [BOX]: "box" }[annotation.type];
}

/** The corners of a drawn polygon without the one that closes it, whichever of the two was moved. */
function opened(points, before) {
  const last = points.at(-1);
  const moved = last.some((v, axis) => v !== before.at(-1)[axis]);
  return moved ? [last, ...points.slice(1, -1)] : points.slice(0, -1);
}
