// The keys of a review, the same in the viewer's frame and in the page around it.
//
// They are heard before the client's own: its bindings need one of its panels to have the focus,
// which is not so when the page has just opened.

const KEYS = {
  n: "next", ArrowRight: "next", p: "previous", ArrowLeft: "previous", a: "accept", r: "reject",
  l: "load", h: "hide", t: "list", g: "pick", x: "skip", c: "comment",
};
const TYPING = "input:not([type=checkbox], [type=radio]), textarea, select, dialog, [contenteditable]";

export function bindKeys(frame, acts) {
  for (const target of [document, frame.contentDocument]) {
    target.addEventListener("keydown", (event) => {
      if (event.target.closest?.(TYPING)) return;
      const act = actOf(event, acts);
      if (!act) return;
      event.preventDefault();
      event.stopPropagation();
      act();
    }, true);
  }
}

function actOf(event, acts) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey || event.metaKey) {
    if (key === "y" || (key === "z" && event.shiftKey)) return acts.redo;
    return key === "z" ? acts.undo : null;
  }
  if (event.altKey || event.shiftKey) return null;
  if (/^[1-9]$/.test(key)) return () => acts.setClass(Number(key));
  return Object.hasOwn(KEYS, key) ? acts[KEYS[key]] : null;
}
