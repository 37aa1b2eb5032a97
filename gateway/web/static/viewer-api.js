// Asks the service; an error carries the message that the service gave.

export const root = document.body.dataset.root;

export class Refused extends Error {
  constructor(status, message, body) {
    super(message);
    this.status = status;
    this.body = body;
  }
}

export async function ask(path, { method = "GET", body, headers = {}, signal } = {}) {
  const options = { method, headers: { Accept: "application/json", ...headers }, signal };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  const answer = await fetch(`${root}${path}`, options);
  const text = await answer.text();
  let told = null;
  try { told = text ? JSON.parse(text) : null; } catch { /* a proxy's page */ }
  if (!answer.ok) {
    const message = told?.error?.message ?? `the service answered ${answer.status} to ${path}`;
    throw new Refused(answer.status, message, told);
  }
  return told;
}

let hiding = 0;

/** Says something in the line under the bar; trouble stays until something else is said. */
export function say(message, bad = false) {
  const line = document.getElementById("said");
  line.textContent = message;
  line.hidden = !message;
  line.classList.toggle("bad", bad);
  clearTimeout(hiding);
  if (!bad && message) hiding = setTimeout(() => { line.hidden = true; }, 5000);
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
