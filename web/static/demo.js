/* The demonstration: the mouse is the hand. What the cabinet looks like comes from the server, always. */

import { listen } from "./stream.js";

const TOAST_MS = 5000;
const MOST_WAITING = 3;

const root = document.documentElement;
const byId = (id) => document.getElementById(id);
const [cabinet, hand, handEmpty, keys, feed, register, toast, lost] = ["cabinet", "hand", "hand-empty", "keys", "feed", "register", "toast", "lost"].map(byId);
const pegs = new Map([...document.querySelectorAll("[data-peg]")].map((peg) => [peg.dataset.peg, peg]));
const keyOf = new Map([...document.querySelectorAll("[data-key]")].map((key) => [key.dataset.key, key]));

let newest = -1;
let movements = Promise.resolve();
let waiting = 0;
let toastTimer = 0;
let registerPage = 1;

// ---- hands

async function ask(path, body) {
  const headers = { "Accept-Language": root.lang, ...(body ? { "Content-Type": "application/json" } : {}) };
  const options = body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers, cache: "no-store" };
  return fetch(path, options).catch(() => null);
}

/** One movement after another: a tap takes as long as a hand takes, and impatient clicks must not pile up. */
function act(name, body = {}) {
  if (waiting >= MOST_WAITING) return;
  waiting += 1;
  movements = movements.then(() => move(name, body)).finally(() => { waiting -= 1; });
}

async function move(name, body) {
  const answer = await ask(`/demo/hands/${name}`, body);
  if (answer === null || answer.ok) return;
  const said = await answer.json().catch(() => ({}));
  toast.textContent = said.message ?? "";
  toast.hidden = !toast.textContent;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { toast.hidden = true; }, TOAST_MS);
}

document.addEventListener("click", (event) => {
  const target = event.target.closest("button");
  if (!target || target.disabled) return;
  const key = target.closest("[data-key]");
  if (target.dataset.tap) act("tap", { name: target.dataset.tap });
  else if (target.dataset.hang) act("hang", { name: target.dataset.hang });
  else if (target.id === "close-door") act("close");
  else if (target.dataset.page) showRegister(Number(target.dataset.page));
  else if (key) act(hand.contains(key) ? "tap" : "take", { name: key.dataset.key });
});

// ---- the cabinet

function showCabinet(state) {
  cabinet.dataset.door = state.door_open ? "open" : "closed";
  cabinet.dataset.lamp = state.lamp;
  byId("close-door").disabled = !state.door_open;
  for (const [hook, peg] of pegs) peg.classList.toggle("lit", state.lit.includes(hook));
  for (const [hook, name] of Object.entries(state.hooks)) if (name) place(keyOf.get(name), pegs.get(hook));
  for (const name of state.in_hand) place(keyOf.get(name), hand);
  const placed = new Set([...Object.values(state.hooks), ...state.in_hand]);
  for (const [name, key] of keyOf) if (!placed.has(name)) place(key, keys);
  for (const key of cabinet.querySelectorAll(".key-body")) key.disabled = !state.door_open;
  for (const button of hand.querySelectorAll("[data-hang]")) button.disabled = !state.door_open;
  handEmpty.hidden = state.in_hand.length > 0;
  showReader(state.on_reader);
}

function showReader(name) {
  byId("reader").classList.toggle("reading", name !== null);
  const label = keyOf.get(name)?.querySelector(".key-label") ?? document.querySelector(`.badge[data-tap="${CSS.escape(name ?? "")}"]`);
  byId("on-reader").textContent = name === null ? "" : (label?.textContent ?? name);
}

/** Move a key, and let the eye follow it. */
function place(key, where) {
  if (!key || !where || key.parentElement === where) return;
  const from = key.getBoundingClientRect();
  where.prepend(key); // what was just taken comes first
  const body = key.querySelector(".key-body");
  body.disabled = false;
  const to = key.getBoundingClientRect();
  if (!from.width || !to.width || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  key.animate([{ transform: `translate(${from.x - to.x}px, ${from.y - to.y}px)`, zIndex: 5 }, { transform: "none", zIndex: 5 }], { duration: 350, easing: "ease-out" });
}

// ---- headquarters

function showHeadquarters({ online, feed_html: html }) {
  byId("online").dataset.online = online ? "yes" : "no";
  feed.innerHTML = html;
  const numbers = [...feed.querySelectorAll("[data-sequence]")].map((line) => Number(line.dataset.sequence));
  for (const line of feed.querySelectorAll("[data-sequence]")) {
    if (newest >= 0 && Number(line.dataset.sequence) > newest) line.classList.add("new");
  }
  newest = Math.max(newest, ...numbers);
  showRegister(registerPage);
}

async function showRegister(page) {
  const answer = await ask(`/demo/register?page=${page}`);
  if (!answer?.ok) return;
  registerPage = page;
  register.innerHTML = await answer.text();
}

// ---- the three moves: the touchscreen in the frame says which one is next

const MOVES = { idle: "1", pin: "1", open: "2", signing: "3", done: "3" };
const frame = document.querySelector("iframe");

function showMove() {
  const step = frame.contentDocument?.documentElement.dataset.step;
  for (const move of document.querySelectorAll("[data-move]")) {
    move.classList.toggle("now", move.dataset.move === MOVES[step]);
    move.toggleAttribute("aria-current", move.dataset.move === MOVES[step]);
  }
}

function followFrame() {
  showMove();
  new MutationObserver(showMove).observe(frame.contentDocument.documentElement, { attributeFilter: ["data-step"] });
}

frame.addEventListener("load", followFrame);
if (frame.contentDocument?.readyState === "complete" && frame.contentDocument.documentElement.dataset.step) followFrame();

listen(`/demo/events?lang=${root.lang}`, Number(root.dataset.heartbeat) * 1000, {
  heard: { cabinet: showCabinet, headquarters: showHeadquarters },
  opened: () => { lost.hidden = true; },
  lost: () => { lost.hidden = false; },
});
