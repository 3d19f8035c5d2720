#!/usr/bin/env python3
"""Opens result pages in Chromium at several widths and uses them: page_test.py EXAMPLES FOLDER

EXAMPLES writes the pages (report_examples). Screenshots stay in FOLDER. Figures must be XML, and where rsvg-convert is
there, it draws them. Ends with 77 (skipped) where there is no Chromium.
"""
import json
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree
from pathlib import Path

from chromium import Chromium

WINDOWS = [("desktop", 1280, 900, False, False), ("dark", 1280, 900, True, False),
           ("phone", 390, 844, False, True), ("narrow", 360, 740, True, True)]
failures = []


def expect(condition, text):
    if not condition:
        failures.append(text)
        print("FAILED:", text)


def check_figures(folder):
    for svg in sorted(folder.glob("*.svg")):
        xml.etree.ElementTree.parse(svg)
        if shutil.which("rsvg-convert"):
            subprocess.run(["rsvg-convert", "--dpi-x=216", "--dpi-y=216", "-o", svg.with_suffix(".figure.png"), svg], check=True)
    if not shutil.which("rsvg-convert"):
        print("figures are not drawn: rsvg-convert is not installed (Debian: librsvg2-bin)")


def check_windows(browser, page, windows):
    for name, width, height, dark, phone in windows:
        browser.open(page.as_uri(), width, height, dark, phone)
        where = f"{page.stem} at {width}"
        wide = browser.run("document.documentElement.scrollWidth")
        expect(wide <= width, f"{where}: the page is {wide} wide")
        wide = browser.run("Math.max(...[...document.querySelectorAll('body > *, main > *')].map(e => e.getBoundingClientRect().right))")
        expect(wide <= width, f"{where}: a part of the page reaches to {wide}")
        expect(browser.run("document.querySelectorAll('main > section').length") >= 3, f"{where}: parts are missing")
        expect(browser.run("window.broken === undefined"), f"{where}: a name has run as a script")
        browser.picture(page.with_name(f"{page.stem}-{name}.png"))
        if browser.run("document.querySelector('tbody button') !== null"):
            browser.run("document.querySelector('#table tbody button').click()")
            browser.settle()
            wide = browser.run("document.getElementById('row').scrollWidth - document.getElementById('row').clientWidth")
            expect(wide <= 0, f"{where}: the details are {wide} wider than their window")
            browser.picture(page.with_name(f"{page.stem}-{name}-details.png"), whole=False)
        for complaint in browser.complaints():
            expect(False, f"{where}: the console says: {complaint}")
        loaded = browser.loaded()
        expect(all(url.startswith(("file:", "data:")) for url in loaded), f"{where}: loads {loaded}")


def cells(browser, column):
    return browser.run(f"[...document.querySelectorAll('#table tbody tr')].map(r => r.cells[{column}].textContent)")


def type_into(browser, selector, text):
    browser.run(f"{{ const i = document.querySelector({json.dumps(selector)}); i.value = {json.dumps(text)};"
                " i.dispatchEvent(new Event('input')); }")
    browser.settle()


def check_table(browser, folder):
    browser.open((folder / "sweep.html").as_uri(), 1280, 900)
    expect(cells(browser, 0)[:3] == ["1", "2", "3"], "the table begins with the first points")
    browser.run("document.querySelectorAll('#table thead button')[5].click()")
    rates = [float(text) for text in cells(browser, 5)]
    expect(rates == sorted(rates), "a click on a heading sorts")
    browser.run("document.querySelectorAll('#table thead button')[5].click()")
    rates = [float(text) for text in cells(browser, 5)]
    expect(rates == sorted(rates, reverse=True), "a second click turns the order around")
    expect(browser.run("document.querySelectorAll('#table thead th')[5].getAttribute('aria-sort')") == "descending", "says how it is sorted")
    for text, wanted in (("6", {"6"}), ("> 4", {"6", "8"}), ("2..3", {"2", "3"}), ("<=1", {"1"})):
        type_into(browser, "input[aria-label='filter phones']", text)
        expect(set(cells(browser, 2)) == wanted, f"the filter {text} leaves {set(cells(browser, 2))}")
    type_into(browser, "input[aria-label='filter phones']", ">x")
    expect(browser.run("document.querySelector('input[aria-label=\"filter phones\"]').getAttribute('aria-invalid')") == "true",
           "a filter that is not understood is marked")
    type_into(browser, "input[aria-label='filter phones']", "")
    type_into(browser, "input[aria-label='filter planner']", "= dp")
    expect(set(cells(browser, 1)) == {"dp"}, "a text is filtered")
    type_into(browser, "input[aria-label='filter planner']", "")
    type_into(browser, "input[type=search]", "oneplus-6")
    expect(set(cells(browser, 8)) == {"failed"}, "reasons are searched")


def check_keyboard(browser, folder):
    browser.open((folder / "sweep.html").as_uri(), 1280, 900)
    browser.run("document.querySelector('#table tbody button').focus()")
    browser.press("Enter", 13)
    expect(browser.run("document.getElementById('row').open"), "Enter opens the details of a point")
    expect("lingua rerun 'my sweep.db' 1" in browser.run("document.getElementById('row').textContent"), "details have the command")
    expect(browser.run("[...document.querySelectorAll('#row img')].every(i => i.complete && i.naturalWidth > 300)"), "details have the picture")
    browser.press("Escape", 27)
    expect(not browser.run("document.getElementById('row').open"), "Escape closes them")
    expect(browser.run("document.activeElement.textContent") == "1", "the focus returns")
    browser.run("document.querySelector('.plot').focus()")
    browser.press("ArrowRight", 39)
    expect(browser.run("document.querySelector('.readout').textContent").startswith("phones 1 – cbc: "), "arrows read the plot")
    browser.run("document.querySelector('.copy').focus()")
    browser.run("window.copied = ''; navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    browser.run("document.querySelectorAll('#reproduce .command .copy')[0].click()")
    browser.settle()
    expect(browser.run("window.copied") == "lingua rerun 'my sweep.db' 1", "the command is copied")
    unnamed = browser.run("[...document.querySelectorAll('button, input, select, a, img')].filter(e => !(e.textContent.trim() || "
                          "e.getAttribute('aria-label') || e.labels?.length || e.alt)).length")
    expect(unnamed == 0, f"{unnamed} controls have no name")


def check_plot(browser, folder):
    browser.open((folder / "sweep.html").as_uri(), 1280, 900)
    rows = browser.run("[...document.querySelectorAll('#numbers tbody tr')].map(r => [...r.cells].map(c => c.title || c.textContent.trim()))")
    wanted = json.loads((folder / "sweep.json").read_text())
    key = lambda row: (row[1], float(row[0]))
    rows.sort(key=key)
    wanted.sort(key=lambda w: (w["series"], float(w["x"])))
    expect(len(rows) == len(wanted) == 24, f"{len(rows)} means are shown, of {len(wanted)}")
    for row, mean in zip(rows, wanted):
        same = row[:2] == [mean["x"], mean["series"]] and int(row[5]) == mean["n"] and \
            abs(float(row[2]) - mean["mean"]) < 1e-9 * mean["mean"] and abs(float(row[3]) - mean["half"]) < 1e-6 * mean["half"] and \
            row[6].split() == [str(r) for r in mean["rows"]]
        expect(same, f"the page has {row}, the program {mean}")
    expect("n = 5 samples" in browser.run("document.querySelector('#plot').textContent"), "says how many samples")
    for label, value in (("x axis", "0"), ("x axis", "4"), ("x axis", "1"), ("series", "-1"), ("result", "6")):
        browser.run(f"{{ const s = [...document.querySelectorAll('#plot label')].find(l => l.textContent.startsWith({json.dumps(label)}))"
                    f".querySelector('select'); s.value = '{value}'; s.dispatchEvent(new Event('change')); }}")
        browser.settle()
        expect(browser.run("document.querySelector('#plot canvas') !== null"), f"{label} {value} is drawn")
    for box in ("logarithmic x", "logarithmic result", "each sample"):
        browser.run(f"[...document.querySelectorAll('#plot label.check')].find(l => l.textContent === '{box}').querySelector('input').click()")
        browser.settle()
    browser.picture(folder / "sweep-logarithmic.png", whole=False)
    expect(browser.complaints() == [], f"the console says: {browser.complaints()}")


def check_speed(browser, folder):
    begin = time.monotonic()
    browser.open((folder / "large.html").as_uri(), 1280, 900)
    opened = time.monotonic() - begin
    took = browser.run("(() => { const t = performance.now(); document.querySelectorAll('#table thead button')[7].click(); return performance.now() - t; })()")
    type_into(browser, "input[aria-label='filter load']", "7")
    expect(set(cells(browser, 2)) == {"7"}, "10,000 rows are filtered")
    print(f"10,000 rows: open in {opened:.1f} s, sorted in {took:.0f} ms")
    expect(opened < 20 and took < 5000, f"10,000 rows take {opened:.1f} s to open and {took:.0f} ms to sort")
    expect(browser.run("document.querySelectorAll('#table tbody tr').length") == 50, "one page of rows is in the document")


def main():
    examples, folder = sys.argv[1], Path(sys.argv[2]).resolve()
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not program:
        print("skipped: chromium is not installed (Debian: chromium)")
        return 77
    subprocess.run([examples, folder], check=True)
    check_figures(folder)
    browser = Chromium(program)
    try:
        for page in ("sweep", "large", "hostile", "empty", "three"):
            check_windows(browser, folder / f"{page}.html", WINDOWS if page == "sweep" else WINDOWS[::3])
        for check in (check_table, check_keyboard, check_plot, check_speed):
            check(browser, folder)
    finally:
        browser.close()
    print(f"{len(failures)} failures; screenshots are in {folder}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
