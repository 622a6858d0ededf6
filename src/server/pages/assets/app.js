// Keeps pages up to date, listens to keys, completes filters, copies. Pages do without it.
"use strict";

const $ = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// ------------------------------------------------------------------------------------------------------- live updates

const live = $("#live");
let stopped = false, due = 0, under_way = false, again = false;

// Gets the page again, and puts those of its parts in place that changed. What is open stays open.
async function refresh() {
  due = 0;
  if (under_way) { again = true; return; }
  if (stopped || document.hidden) return;
  under_way = true;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const ids = (within) => all("[data-live]", within).map((part) => part.id).join();
    // The first workflow makes another page of it.
    if (ids(fresh) !== ids(document)) return location.reload();
    const is_late = $("[data-again]", fresh);
    for (const part of all("[data-live]")) {
      const next = fresh.getElementById(part.id);
      if (next && next.outerHTML !== part.dataset.was) replace(part, next);
    }
    if (is_late) later(1000);
  } catch { /* The server is away; the stream of events says so. */ } finally {
    under_way = false;
    if (again) { again = false; later(400); }
  }
}

function replace(part, next) {
  const was = next.outerHTML;
  const open = new Set(all("details[open][id]", part).map((each) => each.id));
  const at = $("[data-at] .open", part)?.href;
  const focus = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  const scrolled = all("[data-scroll]", part).map((each) => [each.scrollLeft, each.scrollTop]);
  for (const each of all("details[id]", next)) if (open.has(each.id)) each.open = true;
  part.replaceWith(next);
  next.dataset.was = was;
  if (at) all(".open", next).find((each) => each.href === at)?.closest("tr").setAttribute("data-at", "");
  if (focus) all("a", next).find((each) => each.getAttribute("href") === focus)?.focus({ preventScroll: true });
  all("[data-scroll]", next).forEach((each, index) => { [each.scrollLeft, each.scrollTop] = scrolled[index] ?? [0, 0]; });
  show_script_parts(next);
}

// One refresh stands for all that is heard until then.
function later(wait) {
  if (!due) due = setTimeout(refresh, wait);
}

function say(state) {
  if (!live) return;
  live.textContent = { lost: "not live: the server is away", stopped: "stopped" }[state] ?? "live";
  if (state) live.dataset.is = state; else delete live.dataset.is;
}

function listen() {
  if (!("events" in document.body.dataset)) return;
  live.hidden = false;
  const workflow = document.body.dataset.workflow;
  let first = 0;
  const events = new EventSource("/api/events");
  events.addEventListener("open", () => { if (!stopped) say(); if (first++) later(0); });
  events.addEventListener("error", () => { if (!stopped) say("lost"); });
  const heard = () => later(400);
  events.addEventListener("lagged", heard);
  events.addEventListener("handoff", (event) => { if (!workflow || JSON.parse(event.data).workflow === workflow) heard(); });
  addEventListener("pagehide", () => events.close());
  document.addEventListener("visibilitychange", () => { if (!document.hidden) later(0); });
  live.addEventListener("click", toggle);
}

function toggle() {
  if (!live || live.hidden) return;
  stopped = !stopped;
  say(stopped ? "stopped" : undefined);
  if (!stopped) later(0);
}

// --------------------------------------------------------------------------------------------------------------- keys

function go(step) {
  const rows = all(".rows tbody tr").filter((row) => $(".open", row));
  if (!rows.length) return;
  const at = rows.findIndex((row) => row.hasAttribute("data-at"));
  const next = rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? 0 : at + step))];
  rows[at]?.removeAttribute("data-at");
  next.setAttribute("data-at", "");
  $(".open", next).focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

function keys() {
  const dialog = $("#keys"), open = $("#keys-open");
  open.hidden = false;
  open.addEventListener("click", () => dialog.showModal());
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const writes = event.target.matches("input, textarea, select, [contenteditable]");
    if (writes) { if (event.key === "Escape") event.target.blur(); return; }
    if (event.key === "?") dialog.open ? dialog.close() : dialog.showModal();
    else if (dialog.open) return;
    else if (event.key === "/") $("#q")?.focus();
    else if (event.key === "j") go(1);
    else if (event.key === "k") go(-1);
    else if (event.key === "p") toggle();
    else if (event.key === "Enter" && event.target === document.body) $("[data-at] .open")?.click();
    else return;
    event.preventDefault();
  });
}

// --------------------------------------------------------------------------------------------------------- completion

// Which words fit where the cursor is: after `name =` its values, else names and what joins them.
function fitting(text) {
  const options = all("#words option").map((option) => [option.dataset.is, option.value]);
  const value = text.match(/([\w.]+)\s*(?:!?=|\^=|=~|!~|in\s*\((?:[^)]*,)?)\s*"?([\w.-]*)$/);
  if (value) {
    const kind = ["from", "to", "agent"].includes(value[1]) ? "agent" : value[1];
    return { typed: value[2], quoted: text.endsWith(`"${value[2]}`), fit: options.filter(([is]) => is === kind).map(([, word]) => word), value: true };
  }
  const typed = text.match(/[\w.]*$/)[0];
  if (!typed || (text.split('"').length - 1) % 2) return { fit: [] };
  return { typed, fit: options.filter(([is]) => is === "name" || is === "word").map(([, word]) => word) };
}

function complete() {
  const input = $("#q");
  if (!input) return;
  input.removeAttribute("list");
  const hints = document.createElement("ul");
  hints.className = "hints";
  hints.id = "q-hints";
  hints.hidden = true;
  hints.setAttribute("role", "listbox");
  for (const [name, value] of [["role", "combobox"], ["aria-controls", hints.id], ["aria-autocomplete", "list"], ["aria-expanded", "false"]]) input.setAttribute(name, value);
  input.after(hints);
  let chosen = -1, found = { fit: [] };
  const show = (is) => { hints.hidden = !is; input.setAttribute("aria-expanded", String(is)); };
  const choose = (next) => {
    chosen = next;
    [...hints.children].forEach((each, at) => each.setAttribute("aria-selected", String(at === chosen)));
    if (chosen >= 0) input.setAttribute("aria-activedescendant", `hint-${chosen}`); else input.removeAttribute("aria-activedescendant");
  };
  const take = (word) => {
    const before = input.value.slice(0, input.selectionStart - found.typed.length), after = input.value.slice(input.selectionStart);
    const put = found.value ? (found.quoted ? `${word}" ` : `"${word}" `) : /[{(]$/.test(word) ? word : `${word} `;
    input.value = before + put + after.replace(/^"?\s*/, "");
    input.selectionStart = input.selectionEnd = (before + put).length;
    show(false);
    input.focus();
  };
  input.addEventListener("input", () => {
    found = fitting(input.value.slice(0, input.selectionStart));
    const words = found.fit.filter((word) => word.toLowerCase().startsWith(found.typed.toLowerCase()) && word !== found.typed).slice(0, 8);
    hints.replaceChildren(...words.map((word, at) => {
      const item = document.createElement("li");
      item.textContent = word;
      item.id = `hint-${at}`;
      item.setAttribute("role", "option");
      item.addEventListener("mousedown", (event) => { event.preventDefault(); take(word); });
      return item;
    }));
    choose(-1);
    show(words.length > 0);
  });
  input.addEventListener("keydown", (event) => {
    if (hints.hidden) return;
    const count = hints.children.length;
    if (event.key === "ArrowDown") choose((chosen + 1) % count);
    else if (event.key === "ArrowUp") choose((chosen + count - 1) % count);
    else if (event.key === "Tab" || (event.key === "Enter" && chosen >= 0)) take(hints.children[Math.max(0, chosen)].textContent);
    else if (event.key === "Escape") { show(false); event.stopPropagation(); }
    else return;
    event.preventDefault();
  });
  input.addEventListener("blur", () => show(false));
}

// --------------------------------------------------------------------------------------------------------------- rest

// What needs the script is hidden until there is one.
function show_script_parts(within) {
  for (const button of all("[data-copy]", within)) {
    button.hidden = false;
    button.onclick = async () => {
      const text = document.getElementById(button.dataset.copy).textContent;
      const name = button.textContent;
      try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; } catch { button.textContent = "Select it and copy"; }
      setTimeout(() => { button.textContent = name; }, 1500);
    };
  }
}

// What broke is in sight from the start.
function show_root() {
  const root = $("#root"), lanes = root?.closest(".lanes");
  if (lanes && !location.hash) lanes.scrollTop += root.getBoundingClientRect().top - lanes.getBoundingClientRect().top - lanes.clientHeight / 3;
}

for (const part of all("[data-live]")) part.dataset.was = part.outerHTML;
show_script_parts(document);
listen();
keys();
complete();
show_root();
if ($("[data-again]")) later(1000);
