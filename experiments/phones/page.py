"""A study's report: text, pictures (SVG) and one HTML file that works offline."""
import html
import math
import pathlib
import shlex

ROOT = pathlib.Path(__file__).resolve().parents[2]
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f6d00", "#5b5b5b"]  # told apart by most eyes
WIDTH = 460


def number(value, digits=3):
    if value is None:
        return "-"
    if value == 0:
        return "0"
    text = f"{value:.{digits}g}"
    return f"{float(text):,.0f}" if "e" in text else text


def measured_text(spread):
    if spread is None:
        return "-"
    text = number(spread["mean"])
    least, most = number(spread["least"]), number(spread["most"])
    return text if least == most else f"{text} ({least} to {most})"


def error_text(predicted, spread):
    if not predicted or spread is None or not spread["mean"]:
        return "-"
    return f"{100 * (predicted / spread['mean'] - 1):+.0f} %"


def flat(row):
    """A row of a table, with what was measured in three columns."""
    out = {}
    for name, value in row.items():
        if name.startswith("measured"):
            for part in ("mean", "least", "most"):
                out[f"{name}_{part}"] = value[part] if value else None
        else:
            out[name] = value
    return out


def tables(result):
    """Caption, heads and rows of each table of figures."""
    found = []
    if result["whole"]:
        found.append(("The run", ["", "planned", "simulated", "measured", "simulation off by"],
                      [[f"{row['figure']}{', ' + row['unit'] if row['unit'] else ''}", number(row["planned"]), number(row["predicted"]),
                        measured_text(row["measured"]), error_text(row["predicted"], row["measured"])] for row in result["whole"]]))
        found.append(("Computing, by phone: seconds in a run", ["phone", "predicted", "measured", "prediction off by"],
                      [[row["phone"], number(row["predicted_s"]), measured_text(row["measured_s"]),
                        error_text(row["predicted_s"], row["measured_s"])] for row in result["by_phone"]]))
    if result["by_link"]:
        found.append(("Sending, by link: milliseconds a message",
                      ["link", "predicted", "measured", "prediction off by", "messages", "kB"],
                      [[f"{row['from']} → {row['to']}", number(row["predicted_ms"]), measured_text(row["measured_ms"]),
                        error_text(row["predicted_ms"], row["measured_ms"]), str(row["messages"]), number(row["bytes"] / 1000)]
                       for row in result["by_link"]]))
    return found


def tokens_line(result):
    rows = result["tokens"]
    if not rows:
        return "no tokens were made"
    different = [row for row in rows if row["first_difference"] is not None]
    total = sum(row["tokens"] for row in rows)
    if not different:
        return (f"all {total} tokens of {len(rows)} answers ({len(result['runs'])} runs) in {result['dtype']} are those of one x86-64 process in fp32")
    row = min(different, key=lambda one: one["first_difference"])
    return (f"{len(different)} of {len(rows)} answers in {result['dtype']} part from those of one x86-64 process in fp32, the "
            f"soonest at token {row['first_difference']} (run {row['repeat']}, request {row['request']})")


def text(result):
    """For a terminal."""
    lines = []
    for caption, heads, rows in tables(result):
        widths = [max(len(line[i]) for line in [heads, *rows]) for i in range(len(heads))]
        lines.append(caption)
        for row in [heads, *rows]:
            lines.append("  " + "  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))))
    lines.append("tokens: " + tokens_line(result))
    return "\n".join(line.rstrip() for line in lines + [f"note: {note}" for note in result["notes"]])


# ---- pictures ----

STYLE = """
.pic text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif; fill: var(--ink, #1c2025); }
.pic .quiet { fill: var(--quiet, #59626d); }
.pic .rule { stroke: var(--line, #d5d9df); stroke-width: 1; }
.pic .phase { fill: var(--raised, #f5f6f8); }
.pic .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.pic .predicted { fill: none; stroke: var(--ink, #1c2025); stroke-width: 1.5; stroke-dasharray: 3 2; }
.pic .whisker { stroke: var(--ink, #1c2025); stroke-width: 1.5; }
"""


def esc(value):
    return html.escape(str(value))


def nice_ticks(low, high, about=5):
    span = max(high - low, 1e-9)
    step = 10 ** math.floor(math.log10(span / about))
    step = next((m * step for m in (1, 2, 5, 10) if span / (m * step) <= about), 10 * step)
    first = math.ceil(low / step - 1e-9)
    ticks = []
    while first * step <= high + 1e-9 * step:
        ticks.append(round(first * step, 10))
        first += 1
    return ticks


def svg(height, label, parts):
    return (f'<svg class="pic" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
            f'aria-label="{esc(label)}">' + "".join(parts) + "</svg>")


def bars(rows, unit, label):
    """rows: name, predicted, measured spread, colour. Bars are what was measured, dashed frames what was predicted."""
    most = max([0] + [value for _, predicted, spread, _ in rows
                      for value in (predicted or 0, spread["most"] if spread else 0)])
    if most <= 0:
        return None
    left, right, top, each = 8, WIDTH - 70, 22, 52
    height = top + each * len(rows) + 26

    def x(value):
        return left + (right - left) * value / most
    parts = []
    for tick in nice_ticks(0, most):
        parts.append(f'<line class="rule" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{top - 6}" y2="{height - 22}"/>'
                     f'<text class="quiet" x="{x(tick):.1f}" y="{height - 6}" text-anchor="middle">{number(tick)}</text>')
    parts.append(f'<text class="quiet" x="{WIDTH - 8}" y="{height - 6}" text-anchor="end">{esc(unit)}</text>')
    for i, (name, predicted, spread, colour) in enumerate(rows):
        y = top + each * i
        parts.append(f'<text x="{left}" y="{y + 5}">{esc(name)}</text>')
        if spread:
            parts.append(f'<rect x="{left}" y="{y + 15}" width="{max(x(spread["mean"]) - left, 1):.1f}" height="18" rx="2" fill="{colour}"/>')
            if spread["least"] != spread["most"]:
                parts.append(f'<line class="whisker" x1="{x(spread["least"]):.1f}" x2="{x(spread["most"]):.1f}" y1="{y + 24}" y2="{y + 24}"/>')
            parts.append(f'<text x="{max(x(spread["most"]), x(predicted or 0)) + 7:.1f}" y="{y + 29}">{number(spread["mean"])}</text>')
        if predicted is not None:
            parts.append(f'<rect class="predicted" x="{left}" y="{y + 13}" width="{max(x(predicted) - left, 1):.1f}" height="22" rx="2"/>')
    return svg(height, label, parts)


def temperature_of(sample):
    return sample["skin_c"] if sample.get("skin_c") is not None else sample.get("battery_c")


def temperatures(samples, colours):
    rows = [(one["time_s"], one["phone"], one["phase"], temperature_of(one)) for one in samples if temperature_of(one) is not None]
    if len({time for time, *_ in rows}) < 2:
        return None
    left, right, top, bottom = 40, WIDTH - 10, 12, 220
    first, last = min(row[0] for row in rows), max(row[0] for row in rows)
    low, high = min(row[3] for row in rows), max(row[3] for row in rows)
    low, high = low - 0.5, max(high + 0.5, low + 3)
    minutes = last - first > 180

    def x(time):
        return left + (right - left) * (time - first) / max(last - first, 1e-9)

    def y(value):
        return bottom - (bottom - top) * (value - low) / (high - low)
    parts, phases = [], []
    for time, _, phase, _ in sorted(rows):
        if not phases or phases[-1][0] != phase:
            phases.append([phase, time, time])
        phases[-1][2] = time
    for i, (phase, begin, end) in enumerate(phases):
        if i + 1 < len(phases):
            end = phases[i + 1][1]
        if phase.startswith(("run", "measuring")):
            parts.append(f'<rect class="phase" x="{x(begin):.1f}" width="{max(x(end) - x(begin), 1):.1f}" y="{top}" height="{bottom - top}"/>')
            if x(end) - x(begin) > 7 * len(phase):
                parts.append(f'<text class="quiet" x="{(x(begin) + x(end)) / 2:.1f}" y="{top + 14}" text-anchor="middle">{esc(phase)}</text>')
    for tick in nice_ticks(low, high):
        parts.append(f'<line class="rule" x1="{left}" x2="{right}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>'
                     f'<text class="quiet" x="{left - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{number(tick)}</text>')
    by = 60 if minutes else 1
    for tick in nice_ticks(first / by, last / by):
        parts.append(f'<text class="quiet" x="{x(tick * by):.1f}" y="{bottom + 18}" text-anchor="middle">{number(tick)}</text>')
    parts.append(f'<text class="quiet" x="{left}" y="{bottom + 36}">°C over {"minutes" if minutes else "seconds"} of the study</text>')
    at = bottom + 56
    for phone, colour in colours.items():
        points = [(time, value) for time, name, _, value in rows if name == phone]
        if points:
            parts.append(f'<polyline class="line" stroke="{colour}" points="' +
                         " ".join(f"{x(time):.1f},{y(value):.1f}" for time, value in points) + '"/>')
            parts.append(f'<line x1="{left}" x2="{left + 22}" y1="{at - 4}" y2="{at - 4}" stroke="{colour}" stroke-width="3"/>'
                         f'<text x="{left + 30}" y="{at}">{esc(phone)}: {number(points[0][1])} to {number(max(v for _, v in points))} °C</text>')
            at += 20
    return svg(at - 4, "temperature of each phone over time", parts)


def pictures(result):
    colours = {phone["name"]: COLOURS[i % len(COLOURS)] for i, phone in enumerate(result["phones"])}
    plan = [("phones", "Computing in a run, by phone",
             bars([(row["phone"], row["predicted_s"], row["measured_s"], colours[row["phone"]]) for row in result["by_phone"]], "s",
                  "seconds of computing in a run by phone, predicted and measured")),
            ("links", "A message, by link",
             bars([(f"{row['from']} → {row['to']}", row["predicted_ms"], row["measured_ms"], colours.get(row["from"], COLOURS[-1]))
                   for row in result["by_link"]], "ms", "milliseconds of a message by link, predicted and measured")),
            ("temperature", "Temperature over time (skin; battery where that is not known)", temperatures(result["samples"], colours))]
    return [(name, title, picture) for name, title, picture in plan if picture]


# ---- the page ----

MORE_STYLE = """
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(21rem, 100%), 1fr)); gap: 1.2rem; margin-top: 1rem; align-items: start; }
.cards figure { margin: 0; padding: .8rem 1rem; border: 1px solid var(--line); border-radius: 6px; }
figcaption { font-weight: 600; margin-bottom: .4rem; }
.pic { width: 100%; height: auto; display: block; }
.verdict { font-size: 1.05rem; border-left: 4px solid var(--link); padding-left: .7rem; }
.verdict.bad { border-color: var(--bad); }
td, th { white-space: nowrap; }
td.figure, th.figure { text-align: right; }
.plan { overflow-x: auto; background: #fff; border: 1px solid var(--line); border-radius: 6px; padding: .6rem; }
.plan svg { width: 100%; min-width: 46rem; height: auto; display: block; }
pre { overflow-x: auto; background: var(--raised); padding: .6rem .8rem; border-radius: 6px; font-size: .85rem; }
"""


def table_html(heads, rows, figures=1):
    def cells(tag, row):
        return "".join(f'<{tag}{" class=figure" if figures <= i else ""}>{esc(cell)}</{tag}>' for i, cell in enumerate(row))
    return ('<div class="scroll" tabindex="0"><table><thead><tr>' + cells("th", heads) + "</tr></thead><tbody>" +
            "".join(f"<tr>{cells('td', row)}</tr>" for row in rows) + "</tbody></table></div>")


def phone_rows(result):
    rows = []
    for phone in result["phones"]:
        cores = ", ".join(f"{len(one['cores'])} x {one['max_mhz'] / 1000:.2f} GHz" for one in phone["clusters"]) or "-"
        memory = f"{phone['available_bytes'] / 1e9:.1f} of {phone['total_bytes'] / 1e9:.1f} GB" if phone.get("total_bytes") and phone.get("available_bytes") else "-"
        rows.append([phone["name"], f"{phone['manufacturer']} {phone['model']}", phone["android"], cores, memory,
                     f"{number(phone['battery_percent'])} %{', charging' if phone['charging'] else ''}", f"{number(phone['battery_c'])} °C",
                     number(phone["thermal_status"])])
    return ["name", "phone", "Android", "cores", "memory free", "battery", "battery's heat", "thermal status"], rows


def write(folder, result):
    drawn = pictures(result)
    for name, _, picture in drawn:
        standalone = picture.replace('role="img"', f'width="{WIDTH}" role="img"', 1).replace(">", f"><style>{STYLE}</style>", 1)
        (folder / f"{name}.svg").write_text('<?xml version="1.0" encoding="UTF-8"?>\n' + standalone + "\n")
    css = (ROOT / "runtime/report/page/page.css").read_text() + STYLE + MORE_STYLE
    good = result["tokens"] and all(row["first_difference"] is None for row in result["tokens"])
    title = f"{pathlib.Path(result['model']).name} on {len(result['phones'])} phone{'s' if len(result['phones']) != 1 else ''}"
    body = [f"<h1>{esc(title)}</h1>",
            f'<p class="quiet">{esc(result["date"])}, lingua {esc(result["lingua"])}, {esc(result["dtype"])}, '
            f'{len(result["runs"])} run{"s" if len(result["runs"]) != 1 else ""}'
            f'{", over USB: tokens count, times do not" if result["usb"] else ""}</p>',
            f'<p class="verdict{"" if good else " bad"}">Tokens: {esc(tokens_line(result))}.</p>']
    body += [f'<p class="bad">{esc(note)}</p>' for note in result["notes"]]
    for caption, heads, rows in tables(result)[:1]:
        body.append(f"<h2>{esc(caption)}</h2>" + table_html(heads, rows))
        body.append('<p class="quiet">Planned: the planner\'s estimate. Simulated: that plan on the cluster of the file; below, it is what '
                    "is called predicted. Measured: mean of all runs (least to most).</p>")
    if drawn:
        body.append('<h2>Predicted and measured</h2><p class="quiet">Bars: measured, with the range over runs; dashed frames: '
                    'predicted.</p><div class="cards">' +
                    "".join(f"<figure><figcaption>{esc(caption)}</figcaption>{picture}</figure>" for _, caption, picture in drawn) + "</div>")
    for caption, heads, rows in tables(result)[1:]:
        body.append(f"<h3>{esc(caption)}</h3>" + table_html(heads, rows))
    heads, rows = phone_rows(result)
    body.append("<h2>Phones</h2>" + table_html(heads, rows, figures=99))
    plan = folder / "plan.svg"
    if plan.exists():
        body.append(f'<h2>Plan</h2><div class="plan" tabindex="0">{plan.read_text().split("?>", 1)[-1]}</div>')
    if result["cluster"]:
        body.append(f"<details><summary>The cluster file</summary><pre>{esc(result['cluster'])}</pre></details>")
    body.append(f"<footer><p>Made by: <code>{esc(shlex.join(result['command']))}</code>. Beside this page: result.json, phones.csv, links.csv, "
                "tokens.csv, samples.csv, timelines for ui.perfetto.dev, logs.</p></footer>")
    (folder / "report.html").write_text(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{esc(title)}</title><style>{css}</style></head><body><main>{''.join(body)}</main></body></html>\n")
