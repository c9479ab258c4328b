/* The touchscreen: shows what the desk says, sends what is pressed. It decides nothing. */

import { press, visit } from "./api.js";
import { Inventory } from "./inventory.js";
import { Pad } from "./pad.js";
import { PinPad, meaning } from "./pin.js";
import { listen } from "./stream.js";

const STILL_HERE_MS = 5000;
const LOCAL_NOTICE_MS = 6000;
const DESK_SAYS = new Set([409, 422, 503]);

const root = document.documentElement;
const [chrome, stage, overlay, local, offline] = ["chrome", "stage", "overlay", "local", "offline"].map((id) => document.getElementById(id));

let shown = { stage: null, chrome: null, overlay: null, dismissed: null };
let pad = null;
let pinPad = null;
let stillHereAt = 0;
let localTimer = 0;

// ---- what the desk says

function show(screen) {
  const cleared = screen.stage !== shown.stage && pad !== null && !pad.empty && screen.step === "signing" && visit.step === "signing";
  Object.assign(visit, { token: screen.token, language: screen.language, step: screen.step, visiting: screen.visiting });
  root.lang = screen.language;
  root.dataset.step = screen.step;
  document.title = screen.title;
  if (screen.stage !== shown.stage || screen.language !== shown.language) paintStage(screen);
  if (screen.chrome_html !== shown.chrome) { chrome.innerHTML = shown.chrome = screen.chrome_html; tick(); }
  paintHooks(screen);
  paintOverlay(screen);
  if (cleared) tell(stage.querySelector("[data-say=redraw]")?.content.textContent ?? "", "warning");
}

function paintStage(screen) {
  pad?.close();
  pad = pinPad = null;
  hideLocal();
  stage.innerHTML = screen.html;
  shown.stage = screen.stage;
  shown.language = screen.language;
  if (screen.step === "signing") pad = new Pad(stage.querySelector("#pad"), drawn);
  if (screen.step === "pin") pinPad = new PinPad(stage, (pin) => send("pin", { pin }));
  if (screen.step === "inventory") new Inventory(stage);
}

/** A key that was hung or lifted changes its line alone, so that a signature being drawn stays. */
function paintHooks(screen) {
  for (const place of stage.querySelectorAll("[data-hook-of]")) {
    const html = screen.hooks[place.dataset.hookOf] ?? "";
    if (place.innerHTML !== html) place.innerHTML = html;
  }
}

function paintOverlay(screen) {
  const html = screen.overlay_html.trim();
  if (!screen.asking && screen.notice === shown.dismissed) { overlay.replaceChildren(); shown.overlay = ""; return; }
  if (html !== shown.overlay || screen.notice !== shown.notice) overlay.innerHTML = shown.overlay = html;
  shown.notice = screen.notice;
}

// ---- what this page says by itself

function tell(message, tone) {
  if (!message) return;
  const card = document.createElement("button");
  card.type = "button";
  card.className = `notice tone-${tone}`;
  card.dataset.dismiss = "local";
  const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  icon.setAttribute("class", "icon huge");
  icon.setAttribute("viewBox", "0 0 24 24");
  icon.setAttribute("aria-hidden", "true");
  icon.innerHTML = `<use href="#i-${tone}"/>`;
  const words = document.createElement("span");
  words.textContent = message;
  card.append(icon, words);
  local.replaceChildren(card);
  local.hidden = false;
  clearTimeout(localTimer);
  localTimer = setTimeout(hideLocal, LOCAL_NOTICE_MS);
}

function hideLocal() {
  local.hidden = true;
  local.replaceChildren();
}

function tick() {
  const clock = document.getElementById("clock");
  if (clock) clock.textContent = new Intl.DateTimeFormat(visit.language, { timeZone: "Europe/Paris", hour: "2-digit", minute: "2-digit", hour12: false }).format(new Date());
}

// ---- what is pressed

async function send(button, body) {
  const answer = await press(button, body);
  // The desk shows its own refusals, by the stream; only what never reached it is told here.
  if (!answer.ok && !DESK_SAYS.has(answer.status) && answer.error !== "NotVisiting") tell(answer.message, "refused");
  return answer.ok;
}

function drawn() {
  stage.querySelector(".pad-hint").hidden = !pad.empty;
  stage.querySelector("#confirm").disabled = !pad.plausible;
}

async function confirm(button) {
  const { width, height } = pad;
  const statement = stage.querySelector("[data-statement]").dataset.statement;
  button.disabled = true;
  const ok = await send("sign", { width: Math.round(width), height: Math.round(height), strokes: pad.strokes(), statement });
  if (!ok && pad !== null) drawn();
}

function dismiss(card) {
  if (card.dataset.dismiss === "local") { hideLocal(); return; }
  shown.dismissed = shown.notice;
  shown.overlay = "";
  overlay.replaceChildren();
}

function clicked(target) {
  if (target.dataset.digit) pinPad?.key(target.dataset.digit);
  else if ("dismiss" in target.dataset) dismiss(target);
  else if (target.id === "clear") { pad?.clear(); drawn(); }
  else if (target.id === "confirm") confirm(target);
  else if (target.dataset.press === "remove") send("remove", { item: target.dataset.item });
  else if (target.dataset.press === "language") send("language", { language: target.dataset.language });
  else if (target.dataset.press) send(target.dataset.press);
}

document.addEventListener("click", (event) => {
  const target = event.target.closest("button");
  if (target && !target.disabled) clicked(target);
});

document.addEventListener("keydown", (event) => {
  const name = pinPad && meaning(event.key);
  if (!name || (event.key === "Enter" && event.target.closest("button"))) return;
  event.preventDefault();
  pinPad.key(name);
});

// Any touch says that somebody is there; a drawing hand says it all the time, so not more often than needed.
document.addEventListener("pointerdown", () => {
  const now = Date.now();
  if (!visit.visiting || now - stillHereAt < STILL_HERE_MS) return;
  stillHereAt = now;
  press("still-here");
}, { capture: true });

document.addEventListener("contextmenu", (event) => event.preventDefault());

listen("/events", Number(root.dataset.heartbeat) * 1000, {
  heard: { screen: show },
  opened: () => { offline.hidden = true; shown = { stage: null, chrome: null, overlay: null, dismissed: null }; },
  lost: () => { offline.hidden = false; },
});
setInterval(tick, 1000);
