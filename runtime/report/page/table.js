"use strict";
// The table of all points: sorted, filtered, by pages, so that only what is seen is in the page.

lingua.makeTable = () => {
  const { el, data } = lingua;
  const { rows } = data;
  const columns = [
    { title: "point", kind: "", values: rows.id },
    ...data.columns.map((column, i) => ({ title: lingua.columnTitle(column), kind: column.kind, values: rows.values[i] })),
    { title: "state", kind: "", values: rows.state },
  ];
  for (const column of columns) {
    column.numeric = column.values.some((v) => typeof v === "number") &&
      column.values.every((v) => typeof v !== "string" || /^(nan|-?inf)$/.test(v));
  }
  const now = { sorted: 0, down: false, filters: columns.map(() => ""), anywhere: "", page: 0, size: 50 };
  let shown = rows.id.map((_, row) => row);
  const listeners = [];

  const body = el("tbody");
  const count = el("span", { class: "grow", role: "status" });
  const sorts = columns.map((column, c) => el("button", { type: "button", onclick: () => sortBy(c) },
    column.title, el("span", { class: "sort", "aria-hidden": "true" }, "")));
  const headers = columns.map((column, c) => el("th", { scope: "col", class: column.numeric ? "number" : "text" },
    sorts[c], el("span", { class: "kind" }, column.kind || "\u00a0")));
  const filters = columns.map((column, c) => el("input", { type: "text", autocomplete: "off", spellcheck: "false",
    "aria-label": `filter ${column.title}`, placeholder: column.numeric ? "> 5" : "", oninput: () => {
      now.filters[c] = filters[c].value;
      soon();
    } }));
  const buttons = {
    first: el("button", { type: "button", onclick: () => go(0) }, "first"),
    before: el("button", { type: "button", onclick: () => go(now.page - 1) }, "before"),
    next: el("button", { type: "button", onclick: () => go(now.page + 1) }, "next"),
    last: el("button", { type: "button", onclick: () => go(Infinity) }, "last"),
  };
  const search = el("input", { type: "search", oninput: () => { now.anywhere = search.value; soon(); } });

  const region = el("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": "table of all points" },
    el("table", {}, el("thead", {}, el("tr", {}, ...headers),
      el("tr", {}, ...filters.map((input) => el("th", {}, input)))), body));
  const element = el("div", {},
    el("div", { class: "controls" }, el("label", {}, "search in all columns", search),
      lingua.choice("rows per page", [25, 50, 100, 500].map((n) => [n, n]), now.size, (n) => {
        now.size = Number(n);
        go(0);
      }),
      el("button", { type: "button", onclick: clear }, "clear filters"),
      el("button", { type: "button", onclick: () => lingua.download("points.csv", asCsv()) }, "save these rows as CSV")),
    el("p", { class: "quiet" }, "Filters of numbers: 5, > 5, <= 5, 2..8. Of texts: a part of it, or = all of it."),
    region,
    el("div", { class: "pager" }, count, ...Object.values(buttons)));

  let timer = 0;
  function soon() {
    clearTimeout(timer);
    timer = setTimeout(choose, rows.id.length > 2000 ? 150 : 0);
  }

  function clear() {
    now.filters = columns.map(() => "");
    for (const input of filters) input.value = "";
    search.value = now.anywhere = "";
    choose();
  }

  function sortBy(c) {
    now.down = now.sorted === c ? !now.down : false;
    now.sorted = c;
    choose();
  }

  // The rows that pass all filters, in order.
  function choose() {
    const tests = [];
    columns.forEach((column, c) => {
      const test = lingua.filterTest(now.filters[c], column.numeric);
      filters[c].setAttribute("aria-invalid", test === undefined ? "true" : "false");
      if (test) tests.push((row) => test(column.values[row]));
    });
    const part = now.anywhere.trim().toLowerCase();
    if (part) {
      tests.push((row) => rows.reason[row].toLowerCase().includes(part) ||
        columns.some((column) => lingua.text(column.values[row]).toLowerCase().includes(part)));
    }
    shown = rows.id.map((_, row) => row).filter((row) => tests.every((test) => test(row)));
    const { values } = columns[now.sorted];
    const sign = now.down ? -1 : 1;
    shown.sort((a, b) => {
      // What is missing stays last in both directions.
      if ((values[a] === null) !== (values[b] === null)) return values[a] === null ? 1 : -1;
      return sign * lingua.compare(values[a], values[b]) || a - b;
    });
    columns.forEach((_, c) => {
      const on = c === now.sorted;
      headers[c].setAttribute("aria-sort", on ? (now.down ? "descending" : "ascending") : "none");
      sorts[c].lastChild.textContent = on ? (now.down ? "▾" : "▴") : "";
    });
    go(0);
    for (const listener of listeners) listener();
  }

  function go(page) {
    const last = Math.max(0, Math.ceil(shown.length / now.size) - 1);
    now.page = Math.min(Math.max(0, page), last);
    const from = now.page * now.size;
    const part = shown.slice(from, from + now.size);
    body.replaceChildren(...part.map(tableRow));
    const all = rows.id.length;
    count.textContent = shown.length === 0 ? `no row of ${all} passes the filters`
      : `rows ${from + 1} to ${from + part.length} of ${shown.length}` +
        (shown.length < all ? ` that pass the filters, of ${all}` : "");
    buttons.first.disabled = buttons.before.disabled = now.page === 0;
    buttons.last.disabled = buttons.next.disabled = now.page === last;
  }

  function tableRow(row) {
    return el("tr", { class: lingua.isDone(row) ? null : "failed" }, ...columns.map((column, c) => {
      const value = column.values[row];
      const title = typeof value === "number" ? String(value) : null;
      const content = c === 0
        ? el("button", { type: "button", "aria-label": `details of point ${value}`, onclick: () => lingua.showRow(row) }, String(value))
        : lingua.cell(value);
      return el("td", { class: column.numeric ? "number" : "text", title }, content);
    }));
  }

  function asCsv() {
    return lingua.csv([columns.map((column) => column.title).concat("reason", "command"),
      ...shown.map((row) => columns.map((column) => column.values[row]).concat(rows.reason[row], lingua.command(row)))]);
  }

  choose();
  return { element, shown: () => shown, onChange: (listener) => listeners.push(listener) };
};

// A test for a column's values: null for no filter, undefined for one that is not understood.
lingua.filterTest = (text, numeric) => {
  const filter = text.trim();
  if (!filter) return null;
  if (!numeric) {
    if (filter.startsWith("=")) return (v) => lingua.text(v) === filter.slice(1).trim();
    const part = filter.toLowerCase();
    return (v) => lingua.text(v).toLowerCase().includes(part);
  }
  const number = "([-+]?(?:\\d+\\.?\\d*|\\.\\d+)(?:[eE][-+]?\\d+)?)";
  const range = filter.match(new RegExp(`^${number}\\s*\\.\\.\\s*${number}$`));
  if (range) return (v) => typeof v === "number" && v >= Number(range[1]) && v <= Number(range[2]);
  const bound = filter.match(new RegExp(`^(<=|>=|<|>|=)?\\s*${number}$`));
  if (!bound) return undefined;
  const limit = Number(bound[2]);
  const tests = { "<": (v) => v < limit, ">": (v) => v > limit, "<=": (v) => v <= limit, ">=": (v) => v >= limit };
  // As it is shown counts as equal.
  const test = tests[bound[1]] || ((v) => v === limit || Number(lingua.text(v)) === limit);
  return (v) => typeof v === "number" && test(v);
};
