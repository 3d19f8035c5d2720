"use strict";
// The plot: means over seeds with 95 % confidence intervals, drawn by uPlot.

// Told apart by the colour-blind (Okabe and Ito, Color universal design, 2008), lighter on dark ground.
lingua.colours = {
  light: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b87f00", "#2a9fd6", "#000000"],
  dark: ["#5ab4f0", "#ff8b4d", "#2fcf9f", "#f0a3cc", "#f0bd45", "#8fd3ff", "#ffffff"],
};
lingua.dashes = [[], [7, 4], [2, 3], [9, 3, 2, 3]];
lingua.markers = ["circle", "square", "triangle", "diamond", "down", "cross"];

lingua.style = (series) => {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const colours = lingua.colours[dark ? "dark" : "light"];
  return {
    colour: colours[series % colours.length],
    dash: lingua.dashes[series % lingua.dashes.length],
    marker: lingua.markers[series % lingua.markers.length],
    open: Math.floor(series / lingua.markers.length) % 2 === 1,
  };
};

// The outline of a marker around 0, 0, as SVG's path and canvas's Path2D take it.
lingua.markerPath = (marker, r) => ({
  circle: `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
  square: `M${-r * .9} ${-r * .9}h${r * 1.8}v${r * 1.8}h${-r * 1.8}z`,
  triangle: `M0 ${-r * 1.2}L${r * 1.1} ${r * .8}H${-r * 1.1}z`,
  diamond: `M0 ${-r * 1.3}L${r * 1.3} 0L0 ${r * 1.3}L${-r * 1.3} 0z`,
  down: `M0 ${r * 1.2}L${r * 1.1} ${-r * .8}H${-r * 1.1}z`,
  cross: `M${-r} ${-r}L${r} ${r}M${r} ${-r}L${-r} ${r}`,
})[marker];

lingua.swatch = (series) => {
  const style = lingua.style(series);
  const svg = (name, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const picture = svg("svg", { width: 30, height: 14, viewBox: "-15 -7 30 14", "aria-hidden": "true" });
  const line = { stroke: style.colour, "stroke-width": 2 };
  picture.append(svg("path", { d: "M-15 0H15", "stroke-dasharray": style.dash.join(" "), ...line }),
    svg("path", { d: lingua.markerPath(style.marker, 4), fill: style.open ? "var(--ground)" : style.colour, ...line }));
  return picture;
};

// Student's t of 95 %: as the program gave it, beyond its table nearly linear in 1 / degrees.
lingua.t95 = (degrees) => {
  const { table, limit } = lingua.data.t95;
  if (degrees <= table.length) return table[degrees - 1];
  return limit + (table[table.length - 1] - limit) * table.length / degrees;
};

lingua.summarise = (values) => {
  const n = values.length;
  const mean = values.reduce((sum, v) => sum + v / n, 0);
  if (n === 1) return { n, mean, deviation: null, half: null };
  const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (n - 1));
  return { n, mean, deviation, half: lingua.t95(n - 1) * deviation / Math.sqrt(n) };
};

// Shortened in the middle, where names differ least.
lingua.short = (text, most) =>
  text.length <= most ? text : `${text.slice(0, Math.ceil(most / 2) - 1)}…${text.slice(1 - Math.floor(most / 2))}`;

// What a choice of columns shows: { xs, names (of the x values where they are texts), lines, leftOut }.
lingua.gather = (choice, rowsShown) => {
  const { rows } = lingua.data;
  const [xOf, yOf] = [rows.values[choice.x], rows.values[choice.y]];
  const seriesOf = choice.series < 0 ? null : rows.values[choice.series];
  const lines = new Map();
  let leftOut = 0;
  for (const row of rowsShown) {
    if (Object.entries(choice.held).some(([c, value]) => value !== undefined && rows.values[c][row] !== value)) continue;
    if (!lingua.isDone(row) || typeof yOf[row] !== "number" || xOf[row] === null) {
      ++leftOut;
      continue;
    }
    const name = seriesOf ? seriesOf[row] : "";
    if (!lines.has(name)) lines.set(name, new Map());
    const groups = lines.get(name);
    if (!groups.has(xOf[row])) groups.set(xOf[row], { values: [], rows: [] });
    groups.get(xOf[row]).values.push(yOf[row]);
    groups.get(xOf[row]).rows.push(row);
  }
  const found = lingua.distinct([...lines.values()].flatMap((groups) => [...groups.keys()]));
  const texts = found.some((x) => typeof x !== "number");
  // A series keeps its colour whatever is filtered out.
  const order = seriesOf ? lingua.distinct(seriesOf) : [""];
  return {
    leftOut,
    xs: texts ? found.map((_, i) => i) : found,
    names: texts ? found.map(lingua.text) : null,
    lines: order.filter((name) => lines.has(name)).map((name) => ({
      name: lingua.text(name),
      style: order.indexOf(name),
      groups: found.map((x) => {
        const group = lines.get(name).get(x);
        return group ? { ...group, ...lingua.summarise(group.values) } : null;
      }),
    })),
  };
};

// uPlot's options for what is gathered.
lingua.plotOptions = (plot, choice, size, hidden, onCursor) => {
  const css = getComputedStyle(document.documentElement);
  const [ink, line] = [css.getPropertyValue("--ink").trim(), css.getPropertyValue("--line").trim()];
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const measure = document.createElement("canvas").getContext("2d");
  measure.font = font;
  const widest = (labels) => Math.max(0, ...labels.map((label) => measure.measureText(label ?? "").width));
  const axis = { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  const x = { ...axis, size: 32 };
  if (plot.names) {
    const slot = (size.width - 70) / plot.names.length;
    const flat = widest(plot.names) < slot - 8;
    const labels = plot.names.map((name) => lingua.short(name, flat ? 99 : 20));
    const every = flat ? 1 : Math.ceil(17 / slot);
    x.splits = () => plot.xs.filter((i) => i % every === 0);
    x.values = (_, splits) => splits.map((i) => labels[i]);
    x.grid = { show: false };
    if (!flat) {
      x.rotate = 50;
      x.size = Math.min(widest(labels) * 0.77 + 26, 150);
    }
  }
  if (!plot.names && plot.xs.every(Number.isInteger) && !choice.logX) x.incrs = [1, 2, 5].flatMap((n) => [...Array(12)].map((_, p) => n * 10 ** p)).sort((a, b) => a - b);
  // Within a decade uPlot would number next to nothing.
  const few = (u, splits) => (splits.filter((v) => v !== null).length <= 12 ? splits : splits.map((v) => (/^-?[125](e|$)/.test(v.toExponential()) ? v : null)));
  if (choice.logX && !plot.names) x.filter = few;
  const y = { ...axis, ...(choice.logY ? { filter: few } : {}), size: (_, labels) => Math.ceil(widest(labels || [])) + 18 };
  const edges = lingua.edges(plot, choice);
  return {
    ...size,
    legend: { show: false },
    // Without it a label at the right end would be cut.
    padding: [10, 22, 0, plot.names ? 30 : 8],
    cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
    scales: {
      x: { time: false, distr: choice.logX && !plot.names ? 3 : 1, range: edges.x },
      y: { distr: choice.logY ? 3 : 1, range: () => lingua.edges(plot, choice, hidden).y },
    },
    axes: [x, y],
    series: [{}, ...plot.lines.map((one) => ({
      label: one.name, stroke: lingua.style(one.style).colour, dash: lingua.style(one.style).dash, width: 2,
      show: !hidden.has(one.name), spanGaps: true, points: { show: false }, ...(plot.names ? { paths: () => null } : {}),
    }))],
    hooks: { drawSeries: [(u, s) => lingua.drawMarks(u, plot, choice, s - 1)], setCursor: [onCursor] },
  };
};

// From where to where the axes go: all intervals (and samples, where shown) with a margin.
lingua.edges = (plot, choice, hidden = new Set()) => {
  const ys = plot.lines.filter((one) => !hidden.has(one.name)).flatMap((one) => one.groups).filter((g) => g)
    .flatMap((g) => [g.mean, ...(g.half === null ? [] : [g.mean - g.half, g.mean + g.half]), ...(choice.samples ? g.values : [])])
    .filter((v) => !choice.logY || v > 0);
  const around = (values, log, zero) => {
    if (values.length === 0) return log ? [1, 10] : [0, 1];
    let low = values.reduce((a, b) => Math.min(a, b));
    let high = values.reduce((a, b) => Math.max(a, b));
    if (log) {
      const factor = Math.max((high / low) ** 0.06, 1.05);
      return [low / factor, high * factor];
    }
    if (zero && low >= 0 && low < 0.5 * high) low = 0;
    const margin = (high - low || Math.abs(high) || 1) * 0.05;
    return [low === 0 && zero ? 0 : low - margin, high + margin];
  };
  const x = plot.names ? [-0.5, plot.xs.length - 0.5] : around(plot.xs, choice.logX, false);
  return { x, y: around(ys, choice.logY, true) };
};

// Intervals, markers and samples of one series, in the canvas's own pixels.
lingua.drawMarks = (u, plot, choice, series) => {
  const one = plot.lines[series];
  if (!u.series[series + 1].show) return;
  const { ctx } = u;
  const scale = devicePixelRatio;
  const style = lingua.style(one.style);
  const apart = plot.names ? Math.min(12, 0.7 * u.bbox.width / scale / plot.xs.length / plot.lines.length) : 0;
  const shift = (series - (plot.lines.length - 1) / 2) * apart * scale;
  const at = (v) => u.valToPos(v, "y", true);
  const bottom = u.bbox.top + u.bbox.height;
  const marker = new Path2D(lingua.markerPath(style.marker, 4 * scale));
  ctx.save();
  ctx.strokeStyle = style.colour;
  one.groups.forEach((group, i) => {
    if (!group || (choice.logY && group.mean <= 0)) return;
    const x = u.valToPos(plot.xs[i], "x", true) + shift;
    ctx.lineWidth = 1.4 * scale;
    ctx.setLineDash([]);
    if (choice.samples) {
      ctx.globalAlpha = 0.65;
      ctx.fillStyle = style.colour;
      for (const v of group.values) {
        if (choice.logY && v <= 0) continue;
        ctx.fillRect(x + 5 * scale, at(v) - 1.5 * scale, 3 * scale, 3 * scale);
      }
      ctx.globalAlpha = 1;
    }
    if (group.half > 0) {
      const low = group.mean - group.half;
      const [top, foot] = [at(group.mean + group.half), choice.logY && low <= 0 ? bottom : at(low)];
      const cap = 4 * scale;
      ctx.stroke(new Path2D(`M${x} ${top}V${foot}M${x - cap} ${top}h${2 * cap}M${x - cap} ${foot}h${2 * cap}`));
    }
    ctx.save();
    ctx.translate(x, at(group.mean));
    ctx.fillStyle = style.open ? getComputedStyle(document.documentElement).getPropertyValue("--ground") : style.colour;
    if (style.marker !== "cross") ctx.fill(marker);
    ctx.lineWidth = (style.marker === "cross" ? 2 : 1.4) * scale;
    ctx.stroke(marker);
    ctx.restore();
  });
  ctx.restore();
};
