"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const byId = (id) => document.getElementById(id);

  // Hidden characters are written out, as in the rest of the page.
  const hidden = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;
  const visible = (value, limit = 2000) => {
    const text = String(value);
    const kept = text.slice(0, limit).replace(hidden, (char) =>
      char === "\n" || char === "\t" ? char : `\\u{${char.codePointAt(0).toString(16)}}`);
    return text.length > limit ? `${kept}… (${text.length - limit} more characters)` : kept;
  };
  const make = (tag, className, text) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = visible(text);
    return made;
  };

  // Copy buttons: beside every command, only where there is a script to serve them.
  const copied = byId("copied");
  const select = (code) => {
    const range = document.createRange();
    range.selectNodeContents(code);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  };
  const addCopy = (code) => {
    const button = make("button", "copy", "Copy");
    button.type = "button";
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
  };
  for (const code of all(".command > code")) addCopy(code);

  // Evidence that is not written out lies in the embedded run, deflated.
  let rows;
  const unpack = async () => {
    const packed = atob(byId("run").textContent.trim());
    const bytes = Uint8Array.from(packed, (char) => char.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return JSON.parse(await new Response(stream).text()).locations;
  };
  const pieceOf = (item) => {
    const piece = make("details", "more");
    piece.append(make("summary", "", `${item.id}: ${item.request}`));
    const facts = make("dl");
    for (const name of Object.keys(item.response).sort()) {
      facts.append(make("dt", "", name), make("dd", "", item.response[name]));
    }
    if (item.digest) {
      const digest = make("dd");
      digest.append(make("code", "", item.digest));
      facts.append(make("dt", "", "digest"), digest);
    }
    piece.append(facts);
    if (item.excerpt) {
      const excerpt = make("pre", "excerpt", item.excerpt);
      excerpt.tabIndex = 0;
      piece.append(excerpt);
    }
    if (item.reproduce) {
      const command = make("div", "command");
      command.append(make("code", "", item.reproduce));
      piece.append(command);
      addCopy(command.firstChild);
    }
    return piece;
  };
  const evidenceOf = async (number) => {
    try {
      rows ??= unpack();
      return (await rows)[number].evidence.map(pieceOf);
    } catch {
      return [make("p", "muted small", "This browser cannot unpack it: see the JSON report.")];
    }
  };
  for (const place of all("details.place")) {
    place.addEventListener("toggle", async () => {
      const section = place.querySelector("section[data-evidence]");
      if (!place.open || !section) return;
      const number = section.dataset.evidence;
      delete section.dataset.evidence;
      const pieces = await evidenceOf(number);
      section.querySelector("p").remove();
      section.append(...pieces);
    });
  }
  // A place of a group gets its own evidence below its name.
  const offerEvidence = (member) => {
    const button = make("button", "copy", "Evidence");
    button.type = "button";
    button.setAttribute("aria-label", `Evidence of ${member.cells[0].textContent}`);
    button.addEventListener("click", async () => {
      button.remove();
      const more = document.createElement("tr");
      more.className = "unpacked";
      more.append(make("td"));
      more.firstChild.colSpan = 3;
      more.firstChild.append(...await evidenceOf(member.dataset.evidence));
      member.after(more);
    });
    member.cells[0].append(" ", button);
  };
  for (const group of all(".members")) {
    group.closest("details").addEventListener("toggle", () => {
      for (const member of all("tr[data-evidence]", group)) offerEvidence(member);
    }, { once: true });
  }

  // Filter: the rows of the matrix and the places below it. Its state lives in the address.
  const tools = byId("filter");
  const text = byId("filter-text");
  const status = byId("filter-status");
  const count = byId("filter-count");
  const matrix = all("#matrix-table tbody tr").map((row) => {
    const place = byId(row.cells[0].firstElementChild.hash.slice(1));
    const address = place.querySelector(".address").textContent;
    return { row, place, text: `${row.cells[0].textContent} ${address}`.toLowerCase() };
  });
  const apply = () => {
    const wanted = text.value.trim().toLowerCase();
    let shown = 0;
    const open = new Set();
    for (const each of matrix) {
      const fits = (!status.value || each.row.dataset.status === status.value)
        && each.text.includes(wanted);
      each.row.hidden = !fits;
      if (each.place.tagName === "TR") each.place.hidden = !fits;
      if (fits) { shown += 1; open.add(each.place.closest("details")); }
    }
    for (const place of all("details.place")) place.hidden = !open.has(place);
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
  const ranks = [...status.options].map((option) => option.value);
  const sortBy = (heading) => {
    const up = heading.getAttribute("aria-sort") !== "ascending";
    const column = headings.indexOf(heading);
    const value = column === 0
      ? ({ row }) => row.cells[0].firstElementChild.textContent
      : column === 1
        ? ({ row }) => String(ranks.indexOf(row.dataset.status))
        : ({ row }) => row.cells[column].textContent.slice(2);
    for (const other of headings) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", up ? "ascending" : "descending");
    const keyed = matrix.map((each) => [value(each), each.row]);
    keyed.sort(([a], [b]) => collator.compare(a, b) * (up ? 1 : -1));
    body.append(...keyed.map(([, row]) => row));
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
    if (place.hidden || target.hidden) {
      text.value = status.value = "";
      apply();
    }
    place.open = true;
    (target.tagName === "TR" ? target : place).scrollIntoView();
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
