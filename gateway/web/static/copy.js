// Copies the text of the element that a button names: <button data-copy="ID">Copy</button>.

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  const text = "value" in source ? source.value : source.textContent.trim();
  const before = button.textContent;
  button.textContent = (await copyText(text, source)) ? "Copied" : "Press Ctrl+C";
  setTimeout(() => { button.textContent = before; }, 1800);
});

async function copyText(text, source) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // without TLS a browser gives no clipboard: select it, so that one key copies
    getSelection().selectAllChildren(source);
    return false;
  }
}
