"use strict";
// Puts the page together: the plot's controls, details of a point, failures, pictures, commands.

lingua.kinds = (kind) => lingua.data.columns.map((_, c) => c).filter((c) => lingua.data.columns[c].kind === kind);

lingua.isNumeric = (c) => lingua.data.rows.values[c].some((v) => typeof v === "number");

// The columns that the plot shows first.
lingua.firstChoice = () => {
  const { data } = lingua;
  const named = (name) => data.columns.findIndex((column) => column.name === name);
  const varied = lingua.kinds("axis").filter((c) => lingua.distinct(data.rows.values[c]).length > 1);
  const or = (wanted, ...others) => [named(wanted), ...others].find((c) => c !== undefined && c >= 0) ?? -1;
  const x = or(data.first.x, varied.find(lingua.isNumeric), varied[0], lingua.kinds("axis")[0], 0);
  const y = or(data.first.y, lingua.kinds("result").find(lingua.isNumeric), data.columns.findIndex((_, c) => lingua.isNumeric(c)));
  const series = or(data.first.series, varied.find((c) => c !== x && lingua.distinct(data.rows.values[c]).length <= 12));
  const held = {};
  for (const { name, value } of data.first.held)
    if (named(name) >= 0 && data.rows.values[named(name)].includes(value)) held[named(name)] = value;
  return { x, y, series, held, logX: data.first.logX, logY: data.first.logY, samples: false, filtered: false };
};

lingua.makePlot = (table) => {
  const { el, data } = lingua;
  const choice = lingua.firstChoice();
  const hidden = new Set();
  let chart = null;
  let plot = null;
  const controls = el("div", { class: "controls" });
  const place = el("div", { class: "plot", tabindex: "0", role: "img", onkeydown: (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !chart || plot.xs.length === 0) return;
    event.preventDefault();
    const i = chart.cursor.idx ?? (step > 0 ? -1 : plot.xs.length);
    const next = Math.min(Math.max(i + step, 0), plot.xs.length - 1);
    chart.setCursor({ left: chart.valToPos(plot.xs[next], "x"), top: 10 });
    lingua.say(readout.textContent);
  } });
  const [yTitle, xTitle] = [el("p", { class: "quiet" }), el("p", { class: "quiet" })];
  const readout = el("p", { class: "readout quiet" });
  const legend = el("ul", { class: "legend", "aria-label": "series; press one to hide or show it" });
  const note = el("p");
  const numbers = el("details", {}, el("summary", {}, "the numbers of this plot, and the points behind each"));
  const title = (c) => lingua.columnTitle(data.columns[c]);

  function addControls() {
    const all = data.columns.map((_, c) => [c, title(c)]);
    const set = (key) => (value) => { choice[key] = Number(value); hidden.clear(); refresh(); };
    const log = (c) => data.rows.values[c].some((v) => typeof v === "number" && v <= 0) || !lingua.isNumeric(c);
    controls.replaceChildren(
      lingua.choice("x axis", all, choice.x, set("x")),
      lingua.choice("result", all.filter(([c]) => lingua.isNumeric(c)), choice.y, set("y")),
      lingua.choice("series", [[-1, "none"], ...all.filter(([c]) => c !== choice.x)], choice.series, set("series")),
      ...heldControls(),
      lingua.checkbox("logarithmic x", choice.logX && !log(choice.x), (on) => { choice.logX = on; draw(); }, log(choice.x)),
      lingua.checkbox("logarithmic result", choice.logY && !log(choice.y), (on) => { choice.logY = on; draw(); }, log(choice.y)),
      lingua.checkbox("each sample", choice.samples, (on) => { choice.samples = on; draw(); }),
      lingua.checkbox("only rows that the table shows", choice.filtered, (on) => { choice.filtered = on; draw(); }));
    choice.logX = choice.logX && !log(choice.x);
    choice.logY = choice.logY && !log(choice.y);
  }

  // Other axes stand at one value, or their values would be averaged unseen.
  function heldControls() {
    const before = choice.held;
    choice.held = {};
    return lingua.kinds("axis").filter((c) => c !== choice.x && c !== choice.series).map((c) => {
      const values = lingua.distinct(data.rows.values[c]);
      if (values.length < 2) return null;
      const index = Object.hasOwn(before, c) ? values.indexOf(before[c]) : 0;
      choice.held[c] = values[index];
      return lingua.choice(`${title(c)} =`, [...values.map((v, i) => [i, lingua.short(lingua.text(v), 40)]), [-1, "all, averaged"]],
        index, (i) => { choice.held[c] = values[i]; draw(); });
    }).filter((control) => control);
  }

  function draw() {
    const rows = choice.filtered ? table.shown() : data.rows.id.map((_, row) => row);
    plot = lingua.gather(choice, rows);
    chart?.destroy();
    chart = null;
    place.replaceChildren();
    yTitle.textContent = `↑ ${title(choice.y)}`;
    xTitle.textContent = `→ ${title(choice.x)}`;
    xTitle.style.textAlign = "right";
    xTitle.style.maxWidth = "none";
    place.setAttribute("aria-label", `plot of ${title(choice.y)} by ${title(choice.x)}; left and right arrows read its values, which also stand below`);
    if (plot.lines.length === 0) place.append(el("p", {}, "No point with this result is chosen."));
    else {
      const width = Math.max(200, Math.floor(place.clientWidth));
      const size = { width, height: Math.round(Math.min(460, Math.max(280, width * 0.48))) };
      chart = new uPlot(lingua.plotOptions(plot, choice, size, hidden, read),
        [plot.xs, ...plot.lines.map((one) => one.groups.map((g) => (g && (!choice.logY || g.mean > 0) ? g.mean : null)))], place);
    }
    readout.textContent = plot.lines.length ? "Point at the plot, or focus it and press the arrows, to read values." : "";
    legend.replaceChildren(...(choice.series < 0 ? [] : plot.lines.map(legendEntry)));
    note.textContent = noteText();
    fillNumbers();
  }

  function read(u) {
    const { idx } = u.cursor;
    if (idx === null || idx === undefined || u.cursor.left < 0) return;
    const values = plot.lines.filter((one) => one.groups[idx] && !hidden.has(one.name)).map((one) =>
      `${choice.series < 0 ? "" : `${one.name}: `}${lingua.measured(one.groups[idx].mean, one.groups[idx].half)}`);
    readout.textContent = `${title(choice.x)} ${plot.names ? plot.names[idx] : lingua.text(plot.xs[idx])} – ${values.join("; ")}`;
  }

  function legendEntry(one, i) {
    const button = el("button", { type: "button", "aria-pressed": String(!hidden.has(one.name)), onclick: () => {
      if (!hidden.delete(one.name)) hidden.add(one.name);
      button.setAttribute("aria-pressed", String(!hidden.has(one.name)));
      chart.setSeries(i + 1, { show: !hidden.has(one.name) });
    } }, lingua.swatch(one.style), el("span", {}, one.name));
    return el("li", {}, button);
  }

  function noteText() {
    const groups = plot.lines.flatMap((one) => one.groups).filter((g) => g);
    const counts = lingua.distinct(groups.map((g) => g.n));
    const n = counts.length === 0 ? "" : counts.length === 1 ? `n = ${counts[0]}` : `n = ${counts[0]} to ${counts[counts.length - 1]}`;
    const averaged = Object.entries(choice.held).filter(([, v]) => v === undefined).map(([c]) => title(c));
    const held = Object.entries(choice.held).filter(([, v]) => v !== undefined).map(([c, v]) => `${title(c)} = ${lingua.text(v)}`);
    return (counts.length === 1 && counts[0] === 1 ? "One sample for each mark: no interval. "
      : `Means of ${n} samples; bars: 95 % confidence interval of the mean (Student's t). `) +
      (held.length ? `Held: ${held.join(", ")}. ` : "") +
      (averaged.length ? `The samples differ in ${averaged.join(", ")} too, not in seeds alone. ` : "") +
      (plot.leftOut ? `${plot.leftOut} chosen point${plot.leftOut === 1 ? " has" : "s have"} no such result.` : "");
  }

  function fillNumbers() {
    const most = 400;
    const lines = plot.lines.flatMap((one) => one.groups.map((g, i) => g && { one, g, x: plot.names ? plot.names[i] : plot.xs[i] })).filter((l) => l);
    const heads = [title(choice.x), ...(choice.series < 0 ? [] : [title(choice.series)]), "mean", "± 95 %", "deviation", "n", "points"];
    const cells = ({ one, g, x }) => [x, ...(choice.series < 0 ? [] : [one.name]), g.mean, g.half, g.deviation, g.n];
    numbers.replaceChildren(numbers.firstChild,
      el("p", {}, el("button", { type: "button", onclick: () => lingua.download("plot.csv", lingua.csv([heads,
        ...lines.map((l) => [...cells(l), l.g.rows.map((row) => data.rows.id[row]).join(" ")])])) }, "save as CSV")),
      lingua.table("numbers", "numbers of the plot", heads, lines.slice(0, most).map((l) => [...cells(l).map((v) =>
        el("td", { class: typeof v === "string" ? "text" : "number", title: typeof v === "number" ? String(v) : null }, lingua.cell(v))),
      lingua.pointLinks(l.g.rows, 10)])),
      lines.length > most ? el("p", { class: "quiet" }, `and ${lines.length - most} more: the CSV has all`) : "");
  }

  function refresh() {
    if (choice.series === choice.x) choice.series = -1;
    addControls();
    draw();
  }

  function start() {
    refresh();
    let width = place.clientWidth;
    new ResizeObserver(() => {
      if (place.clientWidth === width) return;
      width = place.clientWidth;
      requestAnimationFrame(draw);
    }).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    table.onChange(() => { if (choice.filtered) draw(); });
  }

  return { element: el("div", {}, controls, yTitle, place, xTitle, readout, legend, note, numbers), start };
};

lingua.showRow = (row) => {
  const { el, data } = lingua;
  const dialog = document.getElementById("row");
  const term = (name, value) => el("div", {}, el("dt", {}, name), el("dd", {}, value));
  dialog.replaceChildren(
    el("div", { class: "between" }, el("h2", { id: "row-title" }, `Point ${data.rows.id[row]}: ${data.rows.state[row]}`),
      el("button", { type: "button", onclick: () => dialog.close() }, "close")),
    data.rows.reason[row] ? el("p", { class: "bad" }, data.rows.reason[row]) : "",
    el("dl", {}, ...data.columns.map((column, c) => {
      const value = data.rows.values[c][row];
      return term(lingua.columnTitle(column), value === null ? "–" : String(value));
    })),
    el("h3", {}, "to compute it again"), lingua.commandLine(row),
    ...data.rows.pictures[row].map(lingua.picture));
  dialog.showModal();
};

lingua.failures = () => {
  const { el, data } = lingua;
  const failed = data.rows.id.map((_, row) => row).filter((row) => !lingua.isDone(row));
  if (failed.length === 0) return el("p", {}, "Every point has its results.");
  const groups = new Map();
  for (const row of failed) {
    const key = JSON.stringify([data.rows.state[row], data.rows.reason[row]]);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(row);
  }
  const most = 200;
  const lines = [...groups.values()].sort((a, b) => b.length - a.length);
  return el("div", {}, el("p", {}, `${failed.length} of ${data.rows.id.length} points have no results, for ${lines.length} reason${lines.length === 1 ? "" : "s"}.`),
    lingua.table("failed", "points without results", ["points", "state", "reason", "which"], lines.slice(0, most).map((group) => [
      el("td", { class: "number" }, String(group.length)), el("td", {}, lingua.cell(data.rows.state[group[0]])),
      el("td", {}, lingua.cell(data.rows.reason[group[0]] || "none is given")), lingua.pointLinks(group, 12)])),
    lines.length > most ? el("p", { class: "quiet" }, `and ${lines.length - most} more reasons: filter the table by its state`) : "");
};

lingua.reproduction = (table) => {
  const { el, data } = lingua;
  const list = el("div");
  const fill = () => {
    const rows = table.shown();
    list.replaceChildren(...rows.slice(0, 10).map(lingua.commandLine),
      rows.length > 10 ? el("p", { class: "quiet" }, `and ${rows.length - 10} more: filter the table, or take all`) : "");
  };
  fill();
  table.onChange(fill);
  const all = el("button", { type: "button", class: "copy", onclick: () =>
    lingua.copy(table.shown().map(lingua.command).join("\n") + "\n", all) }, "copy the commands of all rows that the table shows");
  return el("div", {},
    el("p", {}, "Each number of a point comes from one run, which its command makes again, with the same seed and so the same result. " +
      `These numbers are by ${data.version}. A mean's points stand beside it, below the plot.`),
    el("p", {}, all), list,
    data.spec ? el("details", {}, el("summary", {}, "what was run: the sweep's file"),
      el("p", {}, lingua.copyButton(data.spec, "copy the sweep's file")), el("pre", { tabindex: "0" }, data.spec)) : "");
};

lingua.start = () => {
  const { el, data } = lingua;
  const done = data.rows.id.filter((_, row) => lingua.isDone(row)).length;
  const many = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;
  document.getElementById("summary").textContent = `${many(data.rows.id.length, "point")}: ${done} done, ${data.rows.id.length - done} without results. ` +
    `${many(lingua.kinds("axis").length, "axis").replace("axiss", "axes")}, ${many(lingua.kinds("result").length, "result")}.`;
  const table = lingua.makeTable();
  const plot = lingua.makePlot(table);
  const plots = data.rows.id.length > 0 && data.columns.some((_, c) => lingua.isNumeric(c));
  const sections = [
    ...data.sections.map((section, i) => lingua.section(`section-${i}`, section.title,
      ...section.text.split(/\n\s*\n/).filter((text) => text.trim()).map((text) => el("p", {}, text)), ...section.pictures.map(lingua.picture))),
    ...(plots ? [lingua.section("plot", "Plot", plot.element)] : []),
    lingua.section("table", "All points", table.element),
    lingua.section("failures", "Points without results", lingua.failures()),
    lingua.section("reproduce", "How to reproduce each number", lingua.reproduction(table)),
  ];
  document.getElementById("main").append(...sections);
  document.getElementById("parts").append(...sections.map((section) =>
    el("a", { href: `#${section.id}` }, section.firstChild.textContent)));
  document.getElementById("footer").append(el("p", {}, `Made by ${data.version}. This file stands alone: it loads nothing. Plots by uPlot (MIT licence).`));
  if (plots) plot.start();
};

lingua.start();
