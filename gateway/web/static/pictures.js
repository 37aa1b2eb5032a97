// Shows a sign in place of a picture that cannot be had: a damaged volume, one without levels.

const root = document.body.dataset.root ?? "";

function replace(picture) {
  if (!picture.matches?.("img[src*='/thumbnail.png']")) return;
  picture.src = `${root}/static/no-picture.svg`;
  picture.classList.add("none");
}

document.addEventListener("error", (event) => replace(event.target), true);
for (const picture of document.images) {
  if (picture.complete && picture.naturalWidth === 0 && picture.currentSrc) replace(picture);
}
