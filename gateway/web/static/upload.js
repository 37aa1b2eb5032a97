// Uploads files piece by piece, each with its checksum. What is interrupted goes on: the gateway
// knows how many bytes it has, and choosing the same file again sends the rest.
const root = document.body.dataset.root;
const area = document.querySelector("#upload");
const list = document.querySelector("#uploads");
const problem = document.querySelector("#upload-problem");
const PIECE = Number(area.dataset.piece);
const TRIES = 6;
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

async function ask(path, options = {}) {
  const answer = await fetch(`${root}/api/uploads${path}`, options);
  const document_ = answer.status === 204 ? null : await answer.json();
  if (answer.ok) return document_;
  const error = new Error(document_?.error?.message ?? answer.statusText);
  error.status = answer.status;
  throw error;
}

const json = (method, body) => ({
  method,
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
});

async function digestOf(piece) {
  // browsers offer this on https and on the own machine only; elsewhere TCP alone must do
  if (!globalThis.crypto?.subtle) return {};
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", piece));
  return { "Content-Digest": `sha-256=:${btoa(String.fromCharCode(...digest))}:` };
}

async function sendPiece(upload, file) {
  const piece = await file.slice(upload.offset, upload.offset + PIECE).arrayBuffer();
  const headers = { "Content-Type": "application/octet-stream", ...(await digestOf(piece)) };
  const path = `/${upload.id}?offset=${upload.offset}`;
  return ask(path, { method: "PUT", headers, body: piece });
}

function showRow(upload) {
  list.querySelector(`[data-upload="${upload.id}"]`)?.remove();
  const row = document.createElement("li");
  row.dataset.upload = upload.id;
  const line = document.createElement("div");
  line.className = "progress";
  const name = document.createElement("span");
  name.textContent = upload.name;
  const bar = document.createElement("progress");
  bar.max = upload.size;
  bar.setAttribute("aria-label", upload.name);
  const figures = document.createElement("span");
  const stop = document.createElement("button");
  stop.className = "quiet small";
  stop.textContent = "Pause";
  line.append(bar, figures, stop);
  row.append(name, line);
  list.prepend(row);
  return { row, bar, figures, stop };
}

async function send(file) {
  let upload = await ask("", json("POST", { name: file.name, size: file.size }));
  const shown = showRow(upload);
  let stopped = false;
  let failed = 0;
  const began = [performance.now(), upload.offset];
  shown.stop.addEventListener("click", () => (stopped = true));
  while (upload.offset < upload.size && !stopped) {
    try {
      upload = await sendPiece(upload, file);
      failed = 0;
    } catch (error) {
      if (++failed > TRIES || [401, 403, 404, 429].includes(error.status)) throw error;
      shown.figures.textContent = "trying again…";
      await wait(500 * 2 ** failed);
      upload = await ask(`/${upload.id}`).catch(() => upload);
    }
    const rate = (upload.offset - began[1]) / ((performance.now() - began[0]) / 1000);
    const left = Math.ceil((upload.size - upload.offset) / Math.max(rate, 1));
    shown.bar.value = upload.offset;
    shown.figures.textContent = `${Math.floor((100 * upload.offset) / upload.size)} %, ${left} s left`;
  }
  if (stopped) {
    shown.figures.textContent = "paused: choose the same file again to go on";
    shown.stop.remove();
    return;
  }
  const done = await ask(`/${upload.id}/finish`, json("POST", {}));
  const link = document.createElement("a");
  link.className = "button small";
  link.href = `${root}/ingest/look?place=${encodeURIComponent(done.place)}`;
  link.textContent = "Look at it";
  shown.figures.textContent = "arrived";
  shown.stop.replaceWith(link);
}

async function sendAll(files) {
  problem.textContent = "";
  for (const file of files) {
    try {
      await send(file);
    } catch (error) {
      problem.textContent = error.message;
    }
  }
}

const drop = document.querySelector("#drop");
drop.hidden = false;
document.querySelector("#files").addEventListener("change", (event) => sendAll([...event.target.files]));
for (const name of ["dragover", "dragleave", "drop"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragover");
    if (name === "drop") sendAll([...event.dataTransfer.files]);
  });
}
