// Uses what forms.js, loaded before it, says of looking for a text.
//
//   <form data-search="ID">   its search field narrows the section of that id; links in there keep it so
"use strict";

const search = document.querySelector("[data-search]");
const sought = search.querySelector("[type=search]");

// A look at many records ends early, and says where: it goes on by itself while it has found nothing,
// for so many looks, some seconds at most.
const LOOKS = 30;
let latest = 0;

// What the section is narrowed to: the field may say something else by now.
let text = "";

async function narrow(address) {
  const mine = ++latest;
  const section = document.getElementById(search.dataset.search);
  section.setAttribute("aria-busy", "true");
  let page;
  for (let looks = 0; address && looks < LOOKS; looks++) {
    page = await lookFor(text, address);
    if (mine !== latest) return;
    address = page?.querySelector("[data-goes-on]")?.href;
  }
  showIn(section, page);
}

search.addEventListener("submit", (event) => {
  if (!sought.value) return;
  event.preventDefault();
  text = sought.value;
  narrow(`${search.action}?${new URLSearchParams(new FormData(search))}`);
});

document.addEventListener("click", (event) => {
  const link = event.target.closest(`#${search.dataset.search} nav a, #${search.dataset.search} .more a`);
  if (!link || !text || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  narrow(link.href);
});
