// The form of a tool: shows the fields of the chosen method, looks for inputs as one types,
// suggests names of outputs, and shows the plan without leaving the page.
const root = document.body.dataset.root;

function showMethods(form) {
  for (const select of form.querySelectorAll("select[data-method]")) {
    for (const part of form.querySelectorAll("fieldset[data-method-of]")) {
      if (part.dataset.methodOf === select.name) {
        part.hidden = part.disabled = part.dataset.kind !== select.value;
      }
    }
  }
}

let typing = 0;
async function findChoices(input) {
  const url = `${root}/api/tools/${input.dataset.choices}?q=${encodeURIComponent(input.value)}`;
  const mine = ++typing;
  const answer = await fetch(url);
  if (!answer.ok || mine !== typing) return;
  const refs = await answer.json();
  input.list.replaceChildren(...refs.map((ref) => new Option(ref, ref)));
}

function suggestOutputs(form, input) {
  const dataset = input.value.split("/")[0];
  if (!input.value.includes("/")) return;
  const tool = form.action.split("/").pop();
  for (const output of form.querySelectorAll('input[name^="out."]')) {
    const port = output.name.slice(4);
    const optional = output.closest(".field").textContent.includes("optional");
    if (!output.value && !optional) {
      output.value = `${dataset}/${["image", "labels"].includes(port) ? `${tool}-${port}` : port}`;
    }
  }
}

async function showPlan(form, button) {
  const data = new FormData(form, button);
  const busy = form.querySelector("#busy");
  busy.textContent = "Computing one block…";
  button.disabled = true;
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(data) });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = fresh.querySelector("#tool");
    if (!next) throw new Error(fresh.querySelector("main")?.innerText ?? answer.statusText);
    form.replaceWith(next);
    begin(next);
    (next.querySelector('[aria-invalid="true"]') ?? next.querySelector('[value="plan"]')).focus();
  } catch (error) {
    busy.textContent = `No plan: ${error.message}`;
    button.disabled = false;
  }
}

function begin(form) {
  showMethods(form);
  form.addEventListener("change", (event) => {
    if (event.target.matches("select[data-method]")) showMethods(form);
    if (event.target.dataset.choices) suggestOutputs(form, event.target);
  });
  let timer = 0;
  form.addEventListener("input", (event) => {
    if (!event.target.dataset.choices) return;
    clearTimeout(timer);
    timer = setTimeout(() => findChoices(event.target), 150);
  });
  form.addEventListener("submit", (event) => {
    if (event.submitter?.value !== "plan") return;
    event.preventDefault();
    showPlan(form, event.submitter);
  });
}

const first = document.querySelector("#tool");
begin(first);
// what was typed while this module was on its way
for (const input of first.querySelectorAll("[data-choices]")) suggestOutputs(first, input);
