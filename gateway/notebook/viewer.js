// Neuroglancer in a notebook: a frame of the gateway's own client, in step with the Python object.

const PATIENCE_MS = 30_000;
const TRAITS = ["position_um", "um_per_pixel", "panels", "layers"];

/** Whether two values are the same but for how a number was rounded on its way. */
function same(one, two) {
  if (typeof one === "number" && typeof two === "number") {
    return Math.abs(one - two) <= 1e-4 * Math.max(1, Math.abs(one), Math.abs(two));
  }
  if (!one || !two || typeof one !== "object" || typeof two !== "object") return one === two;
  const names = Object.keys(one);
  return names.length === Object.keys(two).length && names.every((name) => same(one[name], two[name]));
}

function render({ model, el }) {
  // a box of our own: the notebook sets the size of the one around it
  const box = document.createElement("div");
  box.className = "gateway-view";
  el.replaceChildren(box);
  const frame = document.createElement("iframe");
  frame.title = "3D viewer";
  frame.allow = "fullscreen";
  const said = document.createElement("div");
  said.className = "said";
  said.textContent = "opening the viewer …";
  box.replaceChildren(frame, said);
  let shown = null;
  let told = {};
  let timer = 0;

  const post = (kind, facts) => frame.contentWindow?.postMessage({ gateway: kind, ...facts }, new URL(frame.src).origin);
  const size = () => { box.style.height = `${model.get("height")}px`; };
  const say = () => {
    said.textContent = model.get("trouble");
    said.hidden = !said.textContent;
  };

  /** Python said where the frame is and what it shows. */
  function begin({ frame: address, ...what }) {
    shown = what;
    frame.src = new URL(address, location.href).href;
    clearTimeout(timer);
    timer = setTimeout(() => {
      said.hidden = false;
      said.textContent = `this browser does not reach the gateway at ${new URL(frame.src).host}; is it on another machine? See "Work in a notebook" in the documentation.`;
    }, PATIENCE_MS);
  }

  function hear({ source, data }) {
    if (source !== frame.contentWindow || !data?.gateway) return;
    const { gateway: kind, ...facts } = data;
    if (kind === "ready" && shown) {
      clearTimeout(timer);
      say();
      const wanted = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
      post("show", { ...shown, wanted });
      return;
    }
    if (kind === "state") told = { ...told, ...facts };
    if (kind === "trouble") facts.trouble = facts.text;
    if (kind === "picked") facts.picked = { ...data, gateway: undefined };
    for (const name of [...TRAITS, "settled", "trouble", "picked"]) {
      if (facts[name] !== undefined && !same(facts[name], model.get(name))) model.set(name, facts[name]);
    }
    model.save_changes();
  }

  function changed(name) {
    const value = model.get(name);
    if (value === null || same(value, told[name])) return;
    told[name] = value;
    post("set", { wanted: { [name]: value } });
  }

  model.on("msg:custom", (message) => message.frame && begin(message));
  for (const name of TRAITS) model.on(`change:${name}`, () => changed(name));
  model.on("change:height", size);
  model.on("change:trouble", say);
  window.addEventListener("message", hear);
  size();
  model.send({ ask: "frame" });
  return () => {
    clearTimeout(timer);
    window.removeEventListener("message", hear);
  };
}

export default { render };
