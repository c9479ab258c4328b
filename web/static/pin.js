/* The digits. They are kept here alone, and leave only when the person says so. */

const FEWEST = 4;

export class PinPad {
  constructor(stage, enter) {
    this.stage = stage;
    this.enter = enter;
    this.digits = "";
    this.most = Number(stage.querySelector("#masked").dataset.most);
    this.show();
  }

  key(name) {
    if (name === "enter") this.send();
    else if (name === "back") this.digits = this.digits.slice(0, -1);
    else if (this.digits.length < this.most) this.digits += name;
    this.show();
  }

  send() {
    if (this.digits.length < FEWEST) return;
    const pin = this.digits;
    this.digits = "";
    this.enter(pin);
  }

  show() {
    const places = Math.max(FEWEST, this.digits.length);
    const dots = Array.from({ length: places }, (_, i) => {
      const dot = document.createElement("i");
      dot.className = i < this.digits.length ? "on" : "";
      return dot;
    });
    const masked = this.stage.querySelector("#masked");
    masked.querySelectorAll("i").forEach((dot) => dot.remove());
    masked.append(...dots);
    masked.querySelector("output").textContent = this.digits.length;
    this.stage.querySelector("[data-digit=enter]").disabled = this.digits.length < FEWEST;
  }
}

/** What a keyboard's key means on the pad, or null. */
export function meaning(key) {
  if (/^[0-9]$/.test(key)) return key;
  return { Backspace: "back", Enter: "enter" }[key] ?? null;
}
