// A text that is searched for may be a customer's name. It goes in a header: addresses are logged, and
// remembered by browsers.
//
//   <form data-search="ID">   its search field narrows the section of that id; links in there keep it so
"use strict";

const search = document.querySelector("[data-search]");
const sought = search.querySelector("[type=search]");

async function narrow(address) {
  const section = document.getElementById(search.dataset.search);
  section.setAttribute("aria-busy", "true");
  const answer = await fetch(address, { headers: { "sought": encodeURIComponent(sought.value) } }).catch(() => null);
  if (!answer?.ok) return location.assign(address);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  section.replaceWith(page.getElementById(section.id));
}

search.addEventListener("submit", (event) => {
  if (!sought.value) return;
  event.preventDefault();
  narrow(`${search.action}?${new URLSearchParams(new FormData(search))}`);
});

document.addEventListener("click", (event) => {
  const link = event.target.closest(`#${search.dataset.search} nav a, #${search.dataset.search} .more a`);
  if (!link || !sought.value || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  narrow(link.href);
});
