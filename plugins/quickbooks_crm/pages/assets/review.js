// One after the other: S says same, D different, N goes to the next card; each only inside a card.
"use strict";

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-verdict]");
  if (button) button.form.elements.verdict.value = button.dataset.verdict;
}, true);

document.addEventListener("keydown", (event) => {
  const card = event.target.closest?.(".card");
  if (!card || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.toLowerCase();
  if (key === "n") next(card)?.focus();
  else if (key === "s" || key === "d") choose(card, event.target, key === "s" ? "same" : "different");
  else return;
  event.preventDefault();
});

/* With several CRM records in the way, it is the one that has the focus, else the first. */
function choose(card, target, verdict) {
  const form = target.closest("form.choice") ?? card.querySelector("form.choice");
  form?.querySelector(`button[data-verdict=${verdict}]`)?.click();
}

function next(card) {
  const cards = [...document.querySelectorAll(".card")];
  return cards[cards.indexOf(card) + 1];
}

document.querySelector(".card")?.focus();
