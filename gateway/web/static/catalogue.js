// Searches while one types. The form works without it: this only asks for the same page sooner
// and puts the part that changed in place of the old one, so that there is one source of markup.

const form = document.getElementById("search");
const words = document.getElementById("q");
const PAUSE_MS = 150;
let timer = 0;
let asking = null;

function address() {
  const values = new URLSearchParams(new FormData(form));
  if (!values.get("q")) values.delete("q");
  if (values.get("sort") === "best") values.delete("sort");
  const query = values.toString();
  return form.getAttribute("action") + (query ? `?${query}` : "");
}

async function refresh(target, { remember = true } = {}) {
  asking?.abort();
  asking = new AbortController();
  const found = document.getElementById("found");
  found.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(target, { signal: asking.signal, headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(`${answer.status}`);
    show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    if (remember) history.replaceState(null, "", target);
  } catch (error) {
    if (error.name !== "AbortError") location.assign(target); // the page itself says what is wrong
  }
}

function show(page) {
  const focused = document.activeElement?.id;
  const open = document.getElementById("facets").open;
  document.getElementById("found").replaceWith(page.getElementById("found"));
  document.getElementById("facets").open = open;
  document.getElementById("count").textContent = page.getElementById("count").textContent;
  if (focused && focused !== "q") document.getElementById(focused)?.focus();
}

words.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(() => refresh(address()), PAUSE_MS);
});
form.addEventListener("change", (event) => {
  if (event.target !== words) refresh(address());
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(timer);
  refresh(address());
});
form.addEventListener("click", (event) => {
  const chip = event.target.closest("a.chip");
  if (!chip || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  if (!chip.search) words.value = "";
  refresh(chip.href);
});

// keys: / to search, arrows from there and between the datasets
document.addEventListener("keydown", (event) => {
  const writing = event.target.matches("input:not([type=checkbox]), select, textarea");
  if (event.key === "/" && !writing) {
    event.preventDefault();
    words.focus();
    words.select();
    return;
  }
  const step = { ArrowDown: "row", ArrowUp: "-row", ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const cards = [...document.querySelectorAll("a.dataset")];
  const here = cards.indexOf(document.activeElement);
  if (!step || !cards.length) return;
  if (event.target === words && event.key === "ArrowDown") {
    event.preventDefault();
    cards[0].focus();
  } else if (here >= 0) {
    event.preventDefault();
    const across = cards.filter((card) => card.offsetTop === cards[0].offsetTop).length;
    const next = here + (step === "row" ? across : step === "-row" ? -across : step);
    if (next < 0) words.focus();
    else cards[Math.min(next, cards.length - 1)].focus();
  }
});

// where a browser cannot show closed details at the side of a wide page
if (!CSS.supports("selector(::details-content)") && matchMedia("(min-width: 60.01rem)").matches) {
  document.getElementById("facets").open = true;
}
