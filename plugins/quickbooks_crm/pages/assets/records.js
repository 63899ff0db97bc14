// Uses what forms.js, loaded before it, says of looking for a text.
"use strict";

const seek = document.querySelector("form[data-seek]");
let latest = 0;

async function find(text) {
  const mine = ++latest;
  const section = document.getElementById(seek.dataset.seek);
  section.setAttribute("aria-busy", "true");
  const page = await lookFor(text, seek.dataset.from);
  if (mine === latest) showIn(section, page);
}

/* Who comes back from a record finds what they had looked for. */
const remembered = `sought ${seek.dataset.from}`;
const field = seek.querySelector("input");

seek.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = field.value.trim();
  if (text) {
    keptHere.set(remembered, text);
    find(text);
  } else {
    keptHere.forget(remembered);
    location.reload();
  }
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-forget], .tabs a, .trail a")) keptHere.forget(remembered);
});

if (keptHere.get(remembered) && !field.value) {
  field.value = keptHere.get(remembered);
  find(field.value);
}
