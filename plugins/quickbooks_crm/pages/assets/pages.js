// Shown inside Airflow, the pages follow its light or dark look, and links to Airflow leave the frame.
"use strict";

const airflow = window.parent === window ? null : window.parent.document;

function followLook() {
  const dark = airflow.documentElement.classList.contains("dark");
  document.documentElement.dataset.look = dark ? "dark" : "light";
}

if (airflow) {
  followLook();
  new MutationObserver(followLook).observe(airflow.documentElement, { attributeFilter: ["class"] });

  // The frame may not navigate the window around it; a link in that window's own page may.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-airflow]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const outside = airflow.createElement("a");
    outside.href = link.href;
    airflow.body.append(outside);
    outside.click();
    outside.remove();
  });
}
