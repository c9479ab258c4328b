/* The manager's inventory: filters and pages of one list. */

import { piece } from "./api.js";

export class Inventory {
  constructor(stage) {
    this.list = stage.querySelector("#inventory");
    this.previous = stage.querySelector("#previous");
    this.next = stage.querySelector("#next");
    this.page = 1;
    this.asked = 0;
    this.list.addEventListener("change", () => this.load(1));
    this.list.addEventListener("submit", (event) => event.preventDefault());
    stage.querySelector("#filter").addEventListener("click", (event) => this.showFilters(event.currentTarget));
    this.previous.addEventListener("click", () => this.load(this.page - 1));
    this.next.addEventListener("click", () => this.load(this.page + 1));
    this.load(1);
  }

  showFilters(button) {
    const shown = this.list.classList.toggle("filtering");
    button.setAttribute("aria-expanded", shown);
    if (shown) this.list.scrollTop = 0;
  }

  query(page) {
    const form = this.list.querySelector("form");
    const wanted = new URLSearchParams(form ? new FormData(form) : []);
    wanted.set("page", page);
    return wanted;
  }

  async load(page) {
    const number = ++this.asked;
    this.list.setAttribute("aria-busy", "true");
    const html = await piece(`/inventory?${this.query(page)}`);
    // An answer that was overtaken by another question is not shown.
    if (html === null || number !== this.asked) return;
    const focused = document.activeElement?.name;
    this.list.innerHTML = html;
    this.list.scrollTop = 0;
    if (focused) this.list.querySelector(`[name="${focused}"]`)?.focus();
    this.list.setAttribute("aria-busy", "false");
    this.turn(this.list.querySelector("[data-pages]").dataset);
  }

  turn({ page, pages }) {
    this.page = Number(page);
    this.previous.disabled = this.page <= 1;
    this.next.disabled = this.page >= Number(pages);
  }
}
