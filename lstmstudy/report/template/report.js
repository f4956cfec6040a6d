// Comforts only: without this script the page shows the same content.
(() => {
  "use strict";
  const all = (query, from = document) => [...from.querySelectorAll(query)];
  const make = (tag, properties = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  };
  const wide = matchMedia("(min-width: 68rem)");
  const nav = document.querySelector(".contents");
  const fold = nav.querySelector("details");
  const place = () => { fold.open = wide.matches; };
  place();
  wide.addEventListener("change", place);
  nav.addEventListener("click", (event) => {
    if (event.target.closest("a") && !wide.matches) fold.open = false;
  });

  // The contents list follows the reader: the last heading above the upper third of the window is current.
  const links = all("a", nav);
  const targets = links.map((link) => document.getElementById(decodeURIComponent(link.hash.slice(1))));
  const chapters = all("details > ol > li", nav);
  let waiting = false;
  const follow = () => {
    waiting = false;
    const line = innerHeight / 3;
    const atEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
    let current = 0;
    targets.forEach((target, index) => {
      if (target && target.getBoundingClientRect().top <= line) current = index;
    });
    if (atEnd && scrollY > 0) current = links.length - 1;
    links.forEach((link, index) => {
      if (index === current) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
    chapters.forEach((chapter) => chapter.classList.toggle("open", chapter.contains(links[current])));
    const link = links[current];
    if (link && wide.matches) {
      const box = link.getBoundingClientRect();
      if (box.top < 0 || box.bottom > innerHeight) nav.scrollTop += box.top - innerHeight / 2;
    }
  };
  const soon = () => { if (!waiting) { waiting = true; requestAnimationFrame(follow); } };
  document.documentElement.classList.add("follows");
  addEventListener("scroll", soon, { passive: true });
  addEventListener("resize", soon);
  follow();

  // Only what really scrolls sideways is a stop for the keyboard.
  const names = new WeakMap();
  const measure = () => all(".scroll, .formula, pre").forEach((region) => {
    if (!names.has(region)) names.set(region, region.getAttribute("aria-label"));
    const scrolls = region.scrollWidth > region.clientWidth + 1;
    if (scrolls) region.tabIndex = 0; else region.removeAttribute("tabindex");
    if (!names.get(region)) return;
    if (scrolls) { region.setAttribute("role", "group"); region.setAttribute("aria-label", names.get(region)); }
    else { region.removeAttribute("role"); region.removeAttribute("aria-label"); }
  });
  addEventListener("load", measure);
  addEventListener("resize", measure);
  document.addEventListener("toggle", measure, true);

  // Tables: sorted by a click on a header, filtered by word and by value, saved as CSV.
  const text = (cell) => cell.cloneNode(true);
  const shown = (cell) => {
    const copy = text(cell);
    all(".anchor, .arrow", copy).forEach((node) => node.remove());
    return copy.textContent.trim();
  };
  const number = (cell) => {
    if (cell.dataset.sort !== undefined) return Number(cell.dataset.sort);
    const value = shown(cell).replace("\u2212", "-");
    return value !== "" && Number.isFinite(Number(value)) ? Number(value) : null;
  };
  const sortable = (table) => {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    if (rows.length < 2) return;
    [...table.tHead.rows[0].cells].forEach((header, column) => {
      if (header.tagName !== "TH") return;
      const button = make("button", { type: "button", className: "sort" }, ...header.childNodes);
      button.append(make("span", { className: "arrow", ariaHidden: "true" }));
      header.append(button);
      button.addEventListener("click", () => {
        const down = header.getAttribute("aria-sort") === "ascending";
        all("th[aria-sort]", table).forEach((other) => other.removeAttribute("aria-sort"));
        header.setAttribute("aria-sort", down ? "descending" : "ascending");
        const keyed = rows.map((row) => [row, number(row.cells[column]), shown(row.cells[column])]);
        const compare = ([, a, one], [, b, other]) => {
          if (a !== null && b !== null) return a - b;
          if (a !== null || b !== null) return a === null ? 1 : -1; // what is no number comes last
          if (!one || !other) return one ? -1 : other ? 1 : 0;
          return one.localeCompare(other, "en", { numeric: true });
        };
        const last = ([, a, one]) => a === null && !one;
        keyed.sort((one, other) => (last(one) || last(other) ? compare(one, other) : (down ? -1 : 1) * compare(one, other)));
        body.append(...keyed.map(([row]) => row));
      });
    });
  };
  const quoted = (value) => {
    // A spreadsheet computes a text that begins so, but for a number or an effect with its interval.
    const formula = /^[=@+-]/.test(value) && !/^[+-][\d.,]+(e[+-]?\d+)?( ?%)?( \[[^a-z|!(]*\])?$/i.test(value);
    const safe = formula ? `'${value}` : value;
    return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const saved = (table) => {
    const button = make("button", { type: "button" }, "CSV");
    button.setAttribute("aria-label", `Save as CSV: ${table.caption.textContent}`);
    button.addEventListener("click", () => {
      const lines = [table.tHead.rows[0], ...[...table.tBodies[0].rows].filter((row) => !row.hidden)]
        .map((row) => [...row.cells].map((cell) => quoted(shown(cell))).join(","));
      const url = URL.createObjectURL(new Blob([lines.join("\n"), "\n"], { type: "text/csv" }));
      const name = table.caption.textContent.trim().toLowerCase().replace(/[^a-z0-9]+/g, "-").slice(0, 40);
      make("a", { href: url, download: `${name}.csv` }).click();
      URL.revokeObjectURL(url);
    });
    return button;
  };
  const filtered = (table, tools) => {
    const rows = [...table.tBodies[0].rows];
    const headers = [...table.tHead.rows[0].cells].map(shown);
    const words = make("input", { type: "search", placeholder: "Filter", autocomplete: "off" });
    words.setAttribute("aria-label", `Filter by words: ${table.caption.textContent}`);
    const count = make("span", { className: "count" });
    count.setAttribute("role", "status");
    const choices = table.dataset.filters.split(" ").map(Number).map((column) => {
      const select = make("select", {}, make("option", { value: "" }, `Every ${headers[column]}`));
      select.setAttribute("aria-label", `Filter by ${headers[column]}`);
      const values = [...new Set(rows.map((row) => shown(row.cells[column])))].sort();
      select.append(...values.map((value) => make("option", { value }, value)));
      return [column, select];
    });
    const apply = () => {
      const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
      rows.forEach((row) => {
        const content = `${row.textContent} ${row.id}`.toLowerCase();
        row.hidden = !(wanted.every((word) => content.includes(word)) &&
          choices.every(([column, select]) => !select.value || shown(row.cells[column]) === select.value));
      });
      const left = rows.filter((row) => !row.hidden).length;
      count.textContent = left < rows.length ? `${left} of ${rows.length}` : "";
    };
    words.addEventListener("input", apply);
    choices.forEach(([, select]) => select.addEventListener("change", apply));
    tools.append(words, ...choices.map(([, select]) => select), count);
    // A link to a row that is filtered away shows all rows again.
    return () => { words.value = ""; choices.forEach(([, select]) => { select.value = ""; }); apply(); };
  };
  const reset = new Map();
  const equip = (table) => {
    const tools = make("div", { className: "tools" });
    if (table.dataset.filters) reset.set(table, filtered(table, tools));
    sortable(table);
    if (!tools.children.length) tools.classList.add("lone");
    tools.append(saved(table));
    table.closest(".scroll").before(tools);
    all("tr[id]", table).forEach((row) => {
      const link = make("a", { className: "anchor", href: `#${row.id}` }, "#");
      link.setAttribute("aria-label", `Link to ${shown(row.cells[0])}`);
      row.cells[0].append(" ", link);
    });
  };
  all("table.study-table").forEach(equip);
  const unfold = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    const table = target.closest("table");
    if (target.hidden && reset.has(table)) reset.get(table)();
    for (let node = target.closest("details"); node; node = node.parentElement.closest("details")) node.open = true;
    if (target.tagName === "TR") target.scrollIntoView({ block: "center" });
  };
  addEventListener("hashchange", unfold);
  unfold();

  // The numbers behind a figure stand in the page once, as CSV; opened, they become a table.
  const most = 500;
  const parsed = (csv) => {
    const rows = [[]];
    let cell = "";
    let inside = false;
    for (let index = 0; index < csv.length; index += 1) {
      const sign = csv[index];
      if (inside) {
        if (sign !== '"') cell += sign;
        else if (csv[index + 1] === '"') { cell += '"'; index += 1; } else inside = false;
      } else if (sign === '"') inside = true;
      else if (sign === "," || sign === "\n") {
        rows.at(-1).push(cell);
        cell = "";
        if (sign === "\n") rows.push([]);
      } else cell += sign;
    }
    return rows.slice(0, -1);
  };
  all("details.data").forEach((details) => details.addEventListener("toggle", () => {
    if (!details.open || details.querySelector("table")) return;
    const link = details.querySelector("a");
    const [head, ...rows] = parsed(decodeURIComponent(link.href.slice(link.href.indexOf(",") + 1)));
    const figure = details.closest("figure");
    const title = figure.querySelector("figcaption");
    const caption = rows.length > most ? `The first ${most} of ${rows.length} rows; the CSV file has all.` : "The numbers drawn above";
    const row = (cells, tag) => make("tr", {}, ...cells.map((cell) => make(tag, tag === "th" ? { scope: "col" } : {}, cell)));
    const table = make("table", { className: "study-table" }, make("caption", {}, caption),
      make("thead", {}, row(head, "th")), make("tbody", {}, ...rows.slice(0, most).map((cells) => row(cells, "td"))));
    const box = make("div", { className: "scroll table", tabIndex: 0 }, table);
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", `Data: ${title ? shown(title) : figure.id}`);
    details.append(box);
    sortable(table);
    measure();
  }));

  const codes = all("details.code");
  if (codes.length) {
    const button = make("button", { type: "button" });
    const name = () => { button.textContent = codes.some((code) => !code.open) ? "Show all code" : "Hide all code"; };
    button.addEventListener("click", () => {
      const open = codes.some((code) => !code.open);
      codes.forEach((code) => { code.open = open; });
      name();
    });
    name();
    fold.append(button);
  }

  const citation = document.getElementById("report.bibtex");
  if (citation && navigator.clipboard) {
    const button = make("button", { type: "button" }, "Copy the citation");
    button.addEventListener("click", () => navigator.clipboard.writeText(citation.textContent).then(
      () => { button.textContent = "Copied"; }, () => getSelection().selectAllChildren(citation),
    ));
    citation.after(button);
  }
})();
