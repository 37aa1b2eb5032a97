// Fetches the part of the page that changes by itself, every so often, while it is looked at.
const part = () => document.querySelector("#fresh");

async function refresh() {
  const every = Number(part().dataset.every);
  if (!every) return;
  if (!document.hidden && !part().contains(document.activeElement)) {
    try {
      const answer = await fetch(location.href);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const next = fresh.querySelector("#fresh");
      if (answer.ok && next) part().replaceWith(next);
    } catch {
      // the gateway is away for a moment: the next try may find it
    }
  }
  setTimeout(refresh, every);
}

setTimeout(refresh, Number(part().dataset.every) || 0);
