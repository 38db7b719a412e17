"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const byId = (id) => document.getElementById(id);

  // Copy buttons: beside every command, only where there is a script to serve them.
  const copied = byId("copied");
  const select = (code) => {
    const range = document.createRange();
    range.selectNodeContents(code);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  };
  for (const code of all(".command > code")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy the command: ${code.textContent}`);
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(code.textContent);
      } catch {
        select(code);
        document.execCommand("copy");
      }
      button.textContent = "Copied";
      copied.textContent = "The command was copied.";
      setTimeout(() => { button.textContent = "Copy"; copied.textContent = ""; }, 1600);
    });
    code.after(button);
  }

  // Filter: the rows of the matrix and the places below it. Its state lives in the address.
  const tools = byId("filter");
  const text = byId("filter-text");
  const status = byId("filter-status");
  const count = byId("filter-count");
  const rows = all("[data-status]");
  const matrix = all("#matrix-table tbody tr");
  const apply = () => {
    const wanted = text.value.trim().toLowerCase();
    for (const row of rows) {
      const fits = (!status.value || row.dataset.status === status.value)
        && row.dataset.text.toLowerCase().includes(wanted);
      row.hidden = !fits;
    }
    const shown = matrix.filter((row) => !row.hidden).length;
    count.textContent = `${shown} of ${matrix.length} shown`;
  };
  const remember = () => {
    const state = new URLSearchParams();
    if (text.value) state.set("find", text.value);
    if (status.value) state.set("status", status.value);
    const fragment = state.toString();
    try {
      history.replaceState(null, "", `#${fragment || "matrix"}`);
    } catch { /* a sandboxed page has no history */ }
  };
  const recall = () => {
    const state = new URLSearchParams(location.hash.slice(1));
    if (!state.has("find") && !state.has("status")) return;
    text.value = state.get("find") ?? "";
    status.value = state.get("status") ?? "";
    if (status.selectedIndex < 0) status.value = "";
  };
  tools.hidden = false;
  tools.addEventListener("submit", (event) => event.preventDefault());
  tools.addEventListener("input", () => { apply(); remember(); });
  tools.addEventListener("reset", () => setTimeout(() => { apply(); remember(); }));

  // Sort: a button in each heading that can be sorted by.
  const collator = new Intl.Collator("en", { numeric: true });
  const body = document.querySelector("#matrix-table tbody");
  const headings = all("#matrix-table th[data-sort]");
  const sortBy = (heading) => {
    const up = heading.getAttribute("aria-sort") !== "ascending";
    const key = heading.dataset.sort;
    const value = (row) => row.querySelector(`[data-${key}]`)?.dataset[key] ?? "";
    for (const other of headings) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", up ? "ascending" : "descending");
    matrix.sort((a, b) => collator.compare(value(a), value(b)) * (up ? 1 : -1));
    body.append(...matrix);
  };
  for (const heading of headings) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sortBy(heading));
    heading.append(button);
  }

  // A link to a place opens it; a printed page shows everything.
  const reveal = () => {
    const target = location.hash.startsWith("#loc-") && byId(location.hash.slice(1));
    if (!target) return;
    const place = target.closest("details");
    if (place.hidden) { tools.reset(); for (const row of rows) row.hidden = false; }
    place.open = true;
    place.scrollIntoView();
  };
  addEventListener("hashchange", () => { recall(); apply(); reveal(); });
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = all("details:not([open])");
    for (const one of closed) one.open = true;
  });
  addEventListener("afterprint", () => { for (const one of closed) one.open = false; });
  byId("open-all").hidden = false;
  byId("open-all").addEventListener("click", (event) => {
    const places = all("details.place");
    const open = places.some((place) => !place.open);
    for (const place of places) place.open = open;
    event.target.textContent = open ? "Close all" : "Open all";
  });
  recall();
  apply();
  reveal();
})();
