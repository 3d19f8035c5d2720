"use strict";
// What the parts of the page share: the data, elements, numbers, downloads.
// Text from outside reaches the page as text only (textContent, attributes), never as HTML.

const lingua = { data: JSON.parse(document.getElementById("data").textContent) };

// An element with attributes ("on..." are listeners) and children (texts or elements).
lingua.el = (name, attributes = {}, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
};

lingua.option = (value, text, selected) => lingua.el("option", { value, selected }, text);

// A select with its label; `choices` are pairs of value and text.
lingua.choice = (label, choices, chosen, changed) => {
  const select = lingua.el("select", { onchange: () => changed(select.value) },
    ...choices.map(([value, text]) => lingua.option(value, text, String(value) === String(chosen))));
  return lingua.el("label", {}, label, select);
};

lingua.checkbox = (label, checked, changed, disabled = false) => {
  const box = lingua.el("input", { type: "checkbox", checked, disabled, onchange: () => changed(box.checked) });
  return lingua.el("label", { class: "check" }, box, label);
};

lingua.section = (id, title, ...children) =>
  lingua.el("section", { id, "aria-labelledby": `${id}-title` },
    lingua.el("h2", { id: `${id}-title` }, title), ...children);

// Six significant digits; the whole number is shown where the pointer rests.
lingua.text = (value) => {
  if (value === null) return "–";
  if (typeof value === "string") return value;
  if (Number.isInteger(value) && Math.abs(value) < 1e12) return String(value);
  return String(Number(value.toPrecision(6)));
};

lingua.cell = (value) => lingua.el("div", { class: "cell" }, lingua.text(value));

// A table that scrolls by itself; `lines` are rows of cells (td).
lingua.table = (id, label, heads, lines) => lingua.el("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": label },
  lingua.el("table", { id },
    lingua.el("thead", {}, lingua.el("tr", {}, ...heads.map((head) => lingua.el("th", { scope: "col" }, lingua.cell(head))))),
    lingua.el("tbody", {}, ...lines.map((cells) => lingua.el("tr", {}, ...cells)))));

// The first of some points, as buttons that show them.
lingua.pointLinks = (rows, most) => lingua.el("td", {}, lingua.el("div", { class: "cell" },
  ...rows.slice(0, most).flatMap((row) => [lingua.el("button", { type: "button",
    "aria-label": `details of point ${lingua.data.rows.id[row]}`, onclick: () => lingua.showRow(row) },
  String(lingua.data.rows.id[row])), " "]),
  rows.length > most ? `and ${rows.length - most} more` : ""));

// A mean and its interval with as many digits as the interval warrants: two of it.
lingua.measured = (mean, half) => {
  if (half === null || !(half > 0)) return lingua.text(mean);
  const digits = Math.min(12, Math.max(0, 1 - Math.floor(Math.log10(half))));
  if (Math.abs(mean) >= 1e9 || digits > 9) return `${lingua.text(mean)} ± ${half.toPrecision(2)}`;
  return `${mean.toFixed(digits)} ± ${half.toFixed(digits)}`;
};

lingua.columnTitle = (column) => (column.unit ? `${column.name} (${column.unit})` : column.name);

lingua.collator = new Intl.Collator("en", { numeric: true });

// Numbers before texts ("p2" before "p10") before nothing.
lingua.compare = (a, b) => {
  const rank = (v) => (typeof v === "number" ? 0 : v === null ? 2 : 1);
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (typeof a === "number") return a - b;
  return a === null || a === b ? 0 : lingua.collator.compare(a, b);
};

// Numbers ascending, texts as they first appear: that is the order in which a sweep names them.
lingua.distinct = (values) => [...new Set(values)].sort((a, b) =>
  typeof a === "string" && typeof b === "string" ? 0 : lingua.compare(a, b));

lingua.isDone = (row) => lingua.data.rows.state[row] === "done";

lingua.command = (row) => lingua.data.rerun + lingua.data.rows.id[row];

// To those who do not see the page change.
lingua.say = (text) => {
  document.getElementById("said").textContent = text;
};

lingua.copy = async (text, button) => {
  const was = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "copied";
  } catch {
    // Where a browser denies the clipboard to files.
    const area = lingua.el("textarea", { class: "unseen", readonly: true });
    area.value = text;
    button.after(area);
    area.select();
    button.textContent = document.execCommand("copy") ? "copied" : "not copied: select it";
    area.remove();
    button.focus();
  }
  lingua.say(button.textContent);
  setTimeout(() => { button.textContent = was; }, 1500);
};

lingua.copyButton = (text, label) => {
  const button = lingua.el("button", { type: "button", class: "copy", "aria-label": label,
    onclick: () => lingua.copy(text, button) }, "copy");
  return button;
};

lingua.commandLine = (row) => lingua.el("div", { class: "command" },
  lingua.el("code", {}, lingua.command(row)),
  lingua.copyButton(lingua.command(row), `copy the command of point ${lingua.data.rows.id[row]}`));

// Cells as RFC 4180 has them. What a spreadsheet would take for a formula begins with an apostrophe.
lingua.csv = (rows) => rows.map((cells) => cells.map((cell) => {
  let text = cell === null ? "" : String(cell);
  if (typeof cell === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll("\"", "\"\"")}"` : text;
}).join(",")).join("\r\n") + "\r\n";

lingua.download = (name, text) => {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  lingua.el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
};

// A picture as an image: what it holds can neither run nor load anything.
lingua.picture = (number) => {
  const { title, svg } = lingua.data.pictures[number];
  const image = lingua.el("img", { alt: title, src: `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}` });
  return lingua.el("figure", {},
    lingua.el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title }, image),
    lingua.el("figcaption", {}, title));
};
