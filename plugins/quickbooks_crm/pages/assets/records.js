// Uses what forms.js, loaded before it, says when Airflow does not answer.
//
// What a person looks for may be a customer's name, so it travels in a header and stands in no address.
"use strict";

const seek = document.querySelector("form[data-seek]");

async function find(text) {
  const section = document.getElementById(seek.dataset.seek);
  section.setAttribute("aria-busy", "true");
  const headers = { sought: encodeURIComponent(text) };
  const answer = await fetch(seek.dataset.from, { headers }).catch(() => null);
  const page = answer ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
  const fresh = page?.getElementById(section.id)?.childNodes ?? page?.querySelectorAll("[role=alert]") ?? unreachable();
  section.replaceChildren(...fresh);
  section.removeAttribute("aria-busy");
}

function unreachable() {
  const words = document.createElement("p");
  words.className = "wrong";
  words.textContent = UNREACHABLE;
  return [words];
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

if (keptHere.get(remembered)) {
  field.value = keptHere.get(remembered);
  find(field.value);
}
