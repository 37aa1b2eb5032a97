// Follows a run: whenever it says something, the live part of the page is fetched anew.
const root = document.body.dataset.root;
let live = document.querySelector("#live");
const LOOK_MS = 700;
let wanted = false;
let busy = false;

async function refresh() {
  if (busy) {
    wanted = true;
    return;
  }
  busy = true;
  wanted = false;
  try {
    const answer = await fetch(`${root}/runs/${live.dataset.job}?part=live`);
    if (answer.ok) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      swap(fresh.querySelector("#live"));
    }
  } catch {
    document.querySelector("#state").textContent = "The gateway does not answer; trying again.";
  } finally {
    setTimeout(() => {
      busy = false;
      if (wanted) refresh();
    }, LOOK_MS);
  }
}

function swap(next) {
  const before = live.querySelector("pre.log");
  const place = before && [before.scrollTop, before.scrollHeight - before.clientHeight];
  const focused = live.contains(document.activeElement) && document.activeElement.textContent;
  live.replaceWith(next);
  live = next;
  const log = live.querySelector("pre.log");
  if (log) log.scrollTop = place && place[0] < place[1] - 4 ? place[0] : log.scrollHeight;
  if (focused) {
    [...live.querySelectorAll("button, a")].find((item) => item.textContent === focused)?.focus();
  }
}

function follow() {
  const url = `${root}/api/jobs/${live.dataset.job}/events?after=${live.dataset.place}`;
  const source = new EventSource(url);
  source.onmessage = refresh;
  source.addEventListener("job", refresh);
  source.addEventListener("problem", () => source.close());
  source.addEventListener("end", () => {
    source.close();
    refresh();
  });
}

const log = live.querySelector("pre.log");
if (log) log.scrollTop = log.scrollHeight;
if (["queued", "running"].includes(live.dataset.status)) {
  follow();
  setInterval(() => live.dataset.status === "running" && refresh(), 5000);
}
