"""`tlbench report`: one page that says what the results say, needs nothing else, and lets nobody's text be code."""

import contextlib
import json
import os
import re
import shutil
from html.parser import HTMLParser

import pytest

from tests.marks import slow
from tests.sealing import seal_again

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOSTILE = "<script>alert(1)</script>\"&'$x_1$"


class Outline(HTMLParser):
    """What a page is made of, as far as the tests ask."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.headings, self.ids, self.targets, self.outside, self.pictures = [], [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        held = dict(attributes)
        self.tags.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if "id" in held:
            self.ids.append(held["id"])
        if tag == "a":
            self.targets.append(held["href"])
        if tag == "img":
            self.pictures.append(held)
        self.outside += [value for name, value in attributes if name in ("src", "href") and "//" in (value or "")]


def renamed(place, old, new):
    """A finished run whose category is called something else, everywhere."""
    folder = place.run_folder
    for path in folder.glob("*.csv"):
        quoted = '"' + new.replace('"', '""') + '"'
        lines = path.read_text("utf-8").splitlines()
        cells = [[quoted if cell == old else cell for cell in line.split(",")] for line in lines]
        path.write_text("\n".join(",".join(row) for row in cells) + "\n", "utf-8")
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    manifest["units"] = [new if unit == old else unit for unit in manifest["units"]]
    manifest["data"]["notices"] = [f"a notice about {new}"]
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    seal_again(folder)


def page_of(place, *arguments):
    done = place.succeed("report", *arguments)
    path = place.folder / done.out.strip()
    return path, path.read_text("utf-8")


def test_the_page_says_what_the_results_say(birds_done):
    path, text = page_of(birds_done)
    assert path == birds_done.folder / "results" / "report.html"
    claims = (birds_done.run_folder / "claims.csv").read_text("utf-8").splitlines()[1:]
    outline = Outline(text)
    assert text.count('class="reproduced') + text.count("inconclusive") > 0
    for line in claims:
        assert line.split(",")[1].strip('"')[:30] in text
    manifest = json.loads((birds_done.run_folder / "manifest.json").read_text("utf-8"))
    assert manifest["run"] in text
    assert manifest["data"]["fingerprint"] in text
    for choice in manifest["protocol"]["choices"].values():
        assert choice["why"].split(";")[0].split("'")[0][:40] in text
    assert len(outline.pictures) == len(manifest["protocol"]["figures"])
    again = page_of(birds_done, "--output", "other.html")[1]
    assert again == text


def test_it_needs_nothing_but_itself_and_is_built_for_everyone(birds_done):
    outline = Outline(page_of(birds_done)[1])
    assert outline.outside == []
    assert all(picture["src"].startswith("data:image/svg+xml;base64,") for picture in outline.pictures)
    assert all(len(picture["alt"]) > 20 for picture in outline.pictures)
    assert outline.headings[0] == 1
    assert outline.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(outline.headings, outline.headings[1:], strict=False))
    assert len(set(outline.ids)) == len(outline.ids)
    assert {target.removeprefix("#") for target in outline.targets} <= set(outline.ids)


def test_what_failed_and_what_is_missing_is_shown(birds_done):
    blocks = birds_done.blocks
    blocks[0].write_bytes(b"damaged")
    failures = birds_done.run_folder / ".tlbench" / "failures" / "ab"
    failures.mkdir(parents=True, exist_ok=True)
    (failures / "abc.txt").write_text("heron, split 0, none\n\nTraceback\nValueError: a bird flew away\n", "utf-8")
    measured = birds_done.run_folder / "measurements.csv"
    lines = measured.read_text("utf-8").splitlines()
    measured.write_text("\n".join(lines[:-3]) + "\n", "utf-8")
    seal_again(birds_done.run_folder)
    text = page_of(birds_done)[1]
    assert "failed: heron, split 0, none: ValueError: a bird flew away" in text
    assert "3 of" in text
    assert "planned measurements are missing" in text


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("--results", "nowhere"), 1, "there are no results of any experiment in nowhere"),
        (("--output", "results/report.html/x.html"), 2, "cannot be written"),
        (("--output", "."), 2, "directory"),
    ],
)
def test_what_cannot_be_is_said(birds_done, arguments, status, says):
    (birds_done.folder / "results" / "report.html").write_text("a file", "utf-8")
    done = birds_done.tlbench("report", *arguments)
    assert done.status == status
    assert says in done.err
    assert len(done.err.strip().splitlines()) <= 2


# In a browser


@contextlib.contextmanager
def browser(width=1200, **options):
    """A page in a real Chromium, with what it complained about."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": width, "height": 900}, reduced_motion="reduce", **options)
        complaints = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        page.on(
            "request",
            lambda request: None if request.url.startswith(("file:", "data:")) else complaints.append(request.url),
        )
        try:
            yield page, complaints
        finally:
            chromium.close()


in_chromium = pytest.mark.skipif(CHROMIUM is None and "CI" not in os.environ, reason="there is no Chromium here")


@pytest.mark.slow
@in_chromium
def test_it_is_sorted_by_a_click_and_by_a_key(birds_done):
    path, _ = page_of(birds_done)
    with browser() as (page, complaints):
        page.goto(path.as_uri())
        table = page.locator("table.sortable").first

        def effects():
            return [float(cell.get_attribute("data-by")) for cell in table.locator("tbody tr td:nth-child(3)").all()]

        before = effects()
        assert before != sorted(before)
        heading = table.locator("thead th").nth(2)
        heading.locator("button").click()
        assert effects() == sorted(before)
        assert heading.get_attribute("aria-sort") == "ascending"
        heading.locator("button").focus()
        page.keyboard.press("Enter")
        assert effects() == sorted(before, reverse=True)
        assert heading.get_attribute("aria-sort") == "descending"
        assert complaints == []


@in_chromium
def test_links_lead_somewhere_and_folds_open(birds_done):
    path, _ = page_of(birds_done)
    with browser() as (page, complaints):
        page.goto(path.as_uri())
        for link in page.locator("a[href^='#']").all():
            target = link.get_attribute("href")
            assert page.locator(f"[id='{target[1:]}']").count() == 1
        page.locator("nav a").first.click()
        assert page.evaluate("document.querySelector('section').getBoundingClientRect().top") < 200
        fold = page.locator("details").first
        fold.locator("summary").click()
        assert fold.evaluate("part => part.open")
        assert complaints == []


@in_chromium
@pytest.mark.parametrize("scheme", [*slow("light"), "dark"])
def test_it_fits_a_phone_and_its_text_can_be_read(birds_done, scheme):
    path, _ = page_of(birds_done)
    with browser(width=380, color_scheme=scheme) as (page, complaints):
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 380
        contrast = page.evaluate(CONTRAST)
        assert min(contrast.values()) >= 4.5, contrast
        assert complaints == []


CONTRAST = """() => {
  const light = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map(v => v / 255)
      .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = part => {
    for (let at = part; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (!/, 0\\)$/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const found = {};
  for (const part of document.querySelectorAll("p, td, th, caption, a, h1, h2, small, h3, summary, li, span, dt, dd")) {
    const [one, two] = [light(getComputedStyle(part).color), light(behind(part))].sort((a, b) => b - a);
    const name = `${part.tagName} ${part.className}`;
    found[name] = Math.min(found[name] ?? 99, (one + 0.05) / (two + 0.05));
  }
  return found;
}"""


@in_chromium
@pytest.mark.fault("security")
def test_a_category_named_like_a_script_stays_text(birds_done):
    renamed(birds_done, "heron", HOSTILE)
    path, text = page_of(birds_done)
    assert "<script>alert" not in text
    with browser() as (page, complaints):
        page.goto(path.as_uri())
        assert f"a notice about {HOSTILE}" in page.locator("dl").text_content()
        assert page.locator("script").count() == 1
        assert complaints == []
