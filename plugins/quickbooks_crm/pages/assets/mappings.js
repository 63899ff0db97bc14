// A file becomes text that can be looked at and changed before it is stored. What was typed is kept in this
// browser until it is stored: also when the page is loaded again to see what somebody else has stored meanwhile.
"use strict";

const form = document.getElementById("new-version");

function keptAs() {
  return `mapping ${form.dataset.key}`;
}

function show(text, isKept) {
  form.elements.content.value = text;
  document.getElementById("kept").hidden = !isKept;
}

async function read(file) {
  const bytes = await file.arrayBuffer();
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

if (form) {
  const first = form.elements.content.value;
  const said = document.getElementById("said").textContent;
  if (said.startsWith("Stored as version")) keptHere.forget(keptAs());
  const before = keptHere.get(keptAs());
  if (before !== null && before !== first) show(before, true);

  form.elements.content.addEventListener("input", () => {
    keptHere.set(keptAs(), form.elements.content.value);
  });
  document.getElementById("anew").addEventListener("click", () => {
    keptHere.forget(keptAs());
    show(first, false);
  });
  document.getElementById("file").addEventListener("change", async (event) => {
    const [file] = event.target.files;
    if (!file) return;
    const text = await read(file);
    event.target.value = "";  // or the same file, corrected, could not be chosen again
    if (text === null) return refuse(form, { message: "The file is not UTF-8. Save it as UTF-8, and choose it again." }).focus();
    forget(form);
    show(text, false);
    keptHere.set(keptAs(), text);
  });
}
