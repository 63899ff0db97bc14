// A text that is searched for may be a customer's name. It goes in a header: addresses are logged, and
// remembered by browsers.
//
//   <form data-search="ID">   its search field narrows the section of that id; links in there keep it so
"use strict";

const search = document.querySelector("[data-search]");
const sought = search.querySelector("[type=search]");

// A look at many records ends early, and says where: it goes on by itself while it has found nothing,
// for so many looks, some seconds at most.
const LOOKS = 30;
let latest = 0;

async function narrow(address) {
  const mine = ++latest;
  const section = document.getElementById(search.dataset.search);
  section.setAttribute("aria-busy", "true");
  let page;
  for (let looks = 0; address && looks < LOOKS; looks++) {
    const answer = await fetch(address, { headers: { "sought": encodeURIComponent(sought.value) } }).catch(() => null);
    if (mine !== latest) return;
    if (!answer?.ok) return location.assign(address);
    page = new DOMParser().parseFromString(await answer.text(), "text/html");
    address = page.querySelector("[data-goes-on]")?.href;
  }
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
