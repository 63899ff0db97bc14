// What is changed is sent as JSON, and the answer is shown where the person is: nothing typed is lost.
//
//   <form data-send action="...">      sends its fields; where they are wrong is said beside them
//   <form data-start="DAG" data-then="PAGE/">   starts a run of a DAG, with its fields as the answers
//   <form data-answer="Yes" data-of="DAG/RUN">   answers the question with which a run waits
//   <form data-unpause="DAG">          switches a DAG on
//   <button data-opens="ID">           opens a dialog;  <button data-closes> closes the one it is in
//   <section data-again="2">           is loaded again every so many seconds, as long as it says so
"use strict";

const root = document.documentElement.dataset.root;
const UNREACHABLE = "Airflow does not answer. Nothing was changed as far as is known. Try again in a moment.";
const ENDED = "Your Airflow session has ended. Sign in again in another window, then try once more: nothing you typed is lost here.";

/* What is kept in this window is its person's: whoever signs in there after them finds nothing of it. */
const OWN = "quickbooks ";
const whose = `${OWN}${encodeURIComponent(document.documentElement.dataset.whose)} `;
const keptHere = {
  get: (name) => sessionStorage.getItem(whose + name),
  set: (name, text) => sessionStorage.setItem(whose + name, text),
  forget: (name) => sessionStorage.removeItem(whose + name),
};
if (document.documentElement.dataset.whose) {
  for (const key of Object.keys(sessionStorage)) {
    if (key.startsWith(OWN) && !key.startsWith(whose)) sessionStorage.removeItem(key);
  }
}

/* Values: a checkbox is true or false, data-kind="list" gives a list, data-kind="number" a number;
   "group:name" is a value of a group. */
function values(form) {
  const found = {};
  const put = (name, value) => {
    const at = name.indexOf(":");
    if (at < 0) found[name] = value;
    else (found[name.slice(0, at)] ??= {})[name.slice(at + 1)] = value;
  };
  for (const field of form.elements) {
    if (!field.name || field.disabled || field.type === "submit") continue;
    if (field.type === "radio" && !field.checked) continue;
    if (field.dataset.kind === "list") {
      found[field.name] ??= [];
      if (field.type !== "checkbox" || field.checked) found[field.name].push(field.value);
    } else if (field.type === "checkbox") put(field.name, field.checked);
    else if (field.dataset.kind === "number") put(field.name, field.value === "" ? null : Number(field.value));
    else if (field.multiple) put(field.name, [...field.selectedOptions].map((chosen) => chosen.value));
    else put(field.name, field.value);
  }
  return found;
}

async function send(address, body, method = "POST") {
  let answer;
  try {
    answer = await fetch(address, {
      method,
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    throw { message: UNREACHABLE };
  }
  const told = await answer.json().catch(() => ({}));
  if (answer.ok) return told;
  if (answer.status === 409 && method === "PATCH") return {};  // somebody was quicker: the page tells who
  if (answer.status === 401) throw { message: ENDED };
  throw { message: told.message ?? airflows(told) ?? `This did not work (${answer.status}).`, fields: told.fields ?? {} };
}

/* Airflow's own API says what is wrong in words of its own. */
function airflows(told) {
  if (typeof told.detail === "string") return told.detail;
  return told.detail?.map?.((one) => one.msg).join(" ");
}

function leaveAirflow(address) {
  const page = window.parent === window ? document : window.parent.document;
  const link = page.createElement("a");
  link.href = address;
  page.body.append(link);
  link.click();
  link.remove();
}

function follow(told) {
  if (told.leave) return leaveAirflow(told.leave);
  if (told.stay) return location.reload();
  if (told.said) keptHere.set("said", told.said);
  const next = new URL(root + (told.go ?? ""), location.href);
  if (next.href === location.href) location.reload();
  else location.assign(next);
}

function forget(form) {
  for (const old of form.querySelectorAll("[data-wrong]")) old.remove();
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-describedby");
  }
}

/* Says why not; what to look at then: the first field that is wrong, else the words. */
function refuse(form, told) {
  forget(form);
  const words = document.createElement("p");
  words.dataset.wrong = "";
  words.className = "wrong";
  words.setAttribute("role", "alert");
  words.tabIndex = -1;
  words.textContent = told.message;
  (form.querySelector("[data-says]") ?? form).prepend(words);
  return sayBeside(form, told.fields ?? {}) ?? words;
}

/* Says what is wrong beside each field that it is about; the first of them. */
function sayBeside(form, sentences) {
  let first = null;
  for (const [name, sentence] of Object.entries(sentences)) {
    let field = form.elements[name];
    if (field instanceof RadioNodeList) field = field[0];
    if (!field?.setAttribute) continue;
    const said = document.createElement("small");
    said.dataset.wrong = "";
    said.className = "wrong";
    said.id = `wrong-${name}`;
    said.textContent = sentence;
    field.after(said);
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", said.id);
    for (let folded = field.closest("details"); folded; folded = folded.parentElement.closest("details")) folded.open = true;
    first ??= field;
  }
  return first;
}

function busy(form, is) {
  if (is) form.setAttribute("aria-busy", "true");
  else form.removeAttribute("aria-busy");
  for (const button of form.querySelectorAll("button")) button.disabled = is;
}

/* What was done leads to another page. Until that has come, which may take a while, nothing can be done twice. */
async function whileBusy(form, work) {
  if (form.getAttribute("aria-busy") === "true") return;
  busy(form, true);
  try {
    forget(form);
    follow(await work());
  } catch (told) {
    busy(form, false);
    if (!told.message) throw told;
    refuse(form, told).focus();
  }
}

/* Who comes back finds the buttons ready, where the browser has kept the page as it was left. */
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form")) busy(form, false);
});

/* Airflow's own API is asked as the person who is signed in. */
const airflowsApi = (...way) => `${root}../api/v2/dags/${way.map(encodeURIComponent).join("/")}`;

/* Colon and plus stay as they are, or Airflow's frame loads the page twice. */
const asPart = (text) => encodeURIComponent(text).replaceAll("%3A", ":").replaceAll("%2B", "+");

async function start(dag, conf, then) {
  if (conf.modules?.length === 0) throw { message: "Choose at least one module." };  // of none, Airflow's DAG takes all
  const run = await send(airflowsApi(dag, "dagRuns"), { logical_date: null, conf });
  return { go: then + asPart(run.dag_run_id) };
}

/* Some changes end in a run that the browser is to start. */
async function changed(address, body) {
  const told = await send(address, body);
  return told.begin ? start(told.begin, told.conf, told.then) : told;
}

async function answer({ of, answer }) {
  const [dag, run] = [of.slice(0, of.indexOf("/")), of.slice(of.indexOf("/") + 1)];
  const question = airflowsApi(dag, "dagRuns", run, "taskInstances", "proceed", "-1", "hitlDetails");
  await send(question, { chosen_options: [answer] }, "PATCH");
  return { stay: true };
}

async function unpause(dag) {
  await send(airflowsApi(dag), { is_paused: false }, "PATCH");
  return { stay: true };
}

const WAYS = {
  send: (form) => changed(form.action, values(form)),
  start: (form) => start(form.dataset.start, values(form), form.dataset.then),
  answer: (form) => answer(form.dataset),
  unpause: (form) => unpause(form.dataset.unpause),
};

document.addEventListener("submit", (event) => {
  const way = Object.keys(WAYS).find((name) => name in event.target.dataset);
  if (!way) return;
  event.preventDefault();
  whileBusy(event.target, () => WAYS[way](event.target, event.submitter));
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.opens) document.getElementById(button.dataset.opens).showModal();
  else if (button && "closes" in button.dataset) button.closest("dialog").close();
});

/* What a person looks for may be a customer's name. It goes in a header: addresses are logged, and remembered by browsers. */
async function lookFor(text, address) {
  try {
    const answer = await fetch(address, { headers: { sought: encodeURIComponent(text) } });
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch {
    return null;
  }
}

/* Shows in a section what a page has there, or else why it has not. */
function showIn(section, page) {
  const found = page?.getElementById(section.id)?.childNodes ?? page?.querySelectorAll("[role=alert]") ?? [];
  section.replaceChildren(...(found.length ? found : [unreachable()]));
  section.removeAttribute("aria-busy");
}

function unreachable() {
  const words = document.createElement("p");
  words.className = "wrong";
  words.textContent = UNREACHABLE;
  return words;
}

/* Where that address leads to another page by now, or to none, the whole page is loaded again: it is shown, or why not. */
async function loadAgain(section) {
  const answer = await fetch(location.href).catch(() => null);
  if (answer?.redirected || [401, 403, 404].includes(answer?.status)) return location.reload();
  const page = answer?.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
  const fresh = page?.getElementById(section.id);
  if (fresh) section.replaceWith(fresh);
  waitFor(fresh ?? section);
}

function waitFor(section) {
  const seconds = Number(section.dataset.again);
  if (seconds) setTimeout(() => loadAgain(section), seconds * 1000);
}

document.querySelectorAll("[data-again]").forEach(waitFor);

const said = keptHere.get("said");
if (said) {
  keptHere.forget("said");
  const place = document.getElementById("said");
  place.textContent = said;
  place.hidden = false;
}
