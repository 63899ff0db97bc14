// The mapping of a module: what is chosen is checked as one goes, and nothing filled in is lost, whatever happens to
// the page or the session.
"use strict";

const mapping = document.getElementById("mapping");
const rowsOf = [...mapping.querySelectorAll("tr[data-column]")];
const sourceOf = (row) => row.querySelector("select");
const offered = document.getElementById("quickbooks").content;
const configures = "configures" in mapping.dataset;

/* Every list offers all fields of QuickBooks, but those that take records of the CRM. */
for (const select of rowsOf.map(sourceOf)) {
  if ("own" in select.dataset) continue;
  for (const option of offered.children) {
    if (select.value !== option.value) select.append(option.cloneNode(true));
  }
}

/* ── what is filled in, kept until it is stored ───────────────────────────────────────────── */

const kept = `mapping ${location.pathname}`;
const nameOf = (field) => (field.dataset.kind === "list" ? `${field.name} ${field.value}` : field.name);
const valueOf = (field) => (field.type === "checkbox" ? field.checked : field.value);
const fieldsOf = () => [...mapping.elements].filter((field) => field.name && field.type !== "hidden");
const atFirst = new Map(fieldsOf().map((field) => [nameOf(field), valueOf(field)]));

function keep() {
  const changed = fieldsOf().filter((field) => valueOf(field) !== atFirst.get(nameOf(field)));
  const found = Object.fromEntries(changed.map((field) => [nameOf(field), valueOf(field)]));
  if (changed.length) keptHere.set(kept, JSON.stringify(found));
  else keptHere.forget(kept);
}

function fillAgain(found) {
  for (const field of fieldsOf()) {
    const value = found[nameOf(field)];
    if (value === undefined) continue;
    if (field.type === "checkbox") field.checked = value;
    else field.value = value;
    if (field.tagName === "SELECT" && field.selectedIndex < 0) field.value = atFirst.get(nameOf(field));
  }
}

/* ── what a row shows of its field ─────────────────────────────────────────────────────────── */

function show(row) {
  const chosen = sourceOf(row).selectedOptions[0];
  row.querySelector("small[data-holds]").textContent = chosen?.dataset.holds ?? "";
  row.querySelector("small[data-samples] bdi").textContent = chosen?.dataset.samples ?? "";
  const proposed = row.querySelector("[data-proposed]");
  if (proposed) proposed.hidden = sourceOf(row).value !== "";
}

function showAll() {
  rowsOf.forEach(show);
  const used = new Set(rowsOf.map((row) => sourceOf(row).value));
  const unused = [...document.querySelectorAll("tr[data-unused]")];
  for (const row of unused) row.dataset.used = used.has(row.dataset.unused);
  document.getElementById("unused").textContent = unused.filter((row) => row.dataset.used === "false").length;
  const checked = [...mapping.querySelectorAll("[name=check]:checked")].map((box) => box.parentElement.textContent.trim());
  document.getElementById("checked").textContent = checked.join(" + ") || "none";
  search();
}

function take(row, key) {
  sourceOf(row).value = key;
  mapping.dispatchEvent(new Event("input"));
}

function search() {
  const wanted = document.getElementById("search").value.trim().toLowerCase();
  for (const row of document.querySelectorAll("tr[data-column], tr[data-unused]")) {
    const select = row.querySelector("select[name]");
    const text = select ? row.cells[2].textContent + (select.selectedOptions[0]?.textContent ?? "") + select.value : row.textContent;
    row.hidden = row.dataset.used === "true" || !text.toLowerCase().includes(wanted);
  }
}

/* ── checked as one goes ───────────────────────────────────────────────────────────────────── */

let waiting, asking;

async function check() {
  asking?.abort();
  asking = new AbortController();
  const body = JSON.stringify(values(mapping));
  const headers = { "content-type": "application/json", accept: "application/json" };
  const answer = await fetch(mapping.dataset.check, { method: "POST", headers, body, signal: asking.signal }).catch(() => null);
  const told = answer && (await answer.json().catch(() => null));
  if (!told) return;
  forget(mapping);
  if (!answer.ok) return refuse(mapping, { message: answer.status === 401 ? ENDED : (told.message ?? "") });
  sayBeside(mapping, told.fields);
  for (const row of rowsOf) row.querySelector("[data-warns]").textContent = told.warnings[row.dataset.column] ?? "";
  const missing = document.getElementById("missing");
  missing.querySelector("span").textContent = told.missing.join(", ");
  missing.hidden = !told.missing.length;
  const others = told.others.map((said) => Object.assign(document.createElement("li"), { textContent: said }));
  document.getElementById("others").replaceChildren(...others);
}

mapping.addEventListener("input", () => {
  showAll();
  keep();
  clearTimeout(waiting);
  waiting = setTimeout(check, 400);
});
/* An import is started by its button, never by an Enter somewhere in so long a form. */
mapping.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches("input, select")) event.preventDefault();
});
document.getElementById("search").addEventListener("input", (event) => {
  event.stopPropagation();
  search();
});

mapping.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.take) take(button.closest("tr"), button.dataset.take);
  else if (button?.id === "discard") {
    keptHere.forget(kept);
    location.reload();
  }
});

/* ── stored and started ────────────────────────────────────────────────────────────────────── */

WAYS.mapping = async (form, button) => {
  clearTimeout(waiting);
  asking?.abort();
  let version = null;
  if (configures) {
    const told = await send(form.action, values(form));
    version = told.version;
    form.elements.base.value = told.base;
    form.elements.based_on.value = told.based_on;
    keptHere.forget(kept);
  }
  const chosen = (id) => document.getElementById(id).checked;
  const begun = { version, read: chosen("read"), older: chosen("older") };
  if (button?.value !== "store") return changed(form.dataset.begin, begun);
  const said = version ? `Stored as version ${version}. It is in force once an import with it was said Yes to.` : "Nothing was changed, so nothing was stored.";
  return { go: form.dataset.here, said };
};

/* ── Add New Field ─────────────────────────────────────────────────────────────────────────── */

const dialog = document.getElementById("new-field");
const typed = () => {
  const type = document.getElementById("new").elements.type.value;
  for (const part of dialog.querySelectorAll("[data-for]")) part.hidden = part.dataset.for !== type;
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-new]");
  if (!button) return;
  const form = document.getElementById("new");
  form.reset();
  forget(form);
  document.getElementById("new-source").value = button.dataset.new;
  form.elements.label.value = button.dataset.label ?? "";
  form.elements.type.value = button.dataset.type ?? "text";
  form.elements.currency.checked = "money" in button.dataset;
  typed();
  dialog.showModal();
});
dialog?.addEventListener("input", typed);

/* The page is loaded again with the new column in it; what was filled in comes back, and fills it. */
WAYS.field = async (form) => {
  const told = await send(form.action, values(form));
  const source = document.getElementById("new-source").value;
  keep();
  if (source) {
    const found = JSON.parse(keptHere.get(kept) ?? "{}");
    keptHere.set(kept, JSON.stringify({ ...found, [`source:${told.column}`]: source }));
  }
  keptHere.set("said", told.said);
  return { stay: true };
};

/* ── at first ──────────────────────────────────────────────────────────────────────────────── */

const before = JSON.parse(keptHere.get(kept) ?? "null");
if (configures && "takeExact" in mapping.dataset) {
  for (const button of mapping.querySelectorAll("button[data-exact]")) sourceOf(button.closest("tr")).value = button.dataset.take;
}
if (before) {
  fillAgain(before);
  document.getElementById("again").hidden = !document.getElementById("said").hidden;  // that says why it is loaded again
}
showAll();
if (configures) check();
