"""The smoke study as it is shipped: every chapter of the report, with every technique, and read in a real browser."""

from __future__ import annotations

import csv
import gzip
import io
import re

import nbformat
import pytest

from lstmstudy import paths
from lstmstudy.claims.table import load_claims
from lstmstudy.params.profile import load_profile
from lstmstudy.report import LIMIT
from lstmstudy.techniques import TECHNIQUES

pytest_plugins = ["browser", "checkout"]

CHAPTERS = [path.stem for path in sorted(paths.NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))]
NARROW, PRINTED = 360, 680  # pixels: a phone, and the text of an A4 page
SVG = "image/svg+xml"


@pytest.fixture(scope="module")
def report(shipped):
    """Return the place of the report of the shipped study."""
    return shipped[0].root / "reports" / "smoke" / "report.html"


@pytest.fixture(scope="module")
def notebooks(report):
    """Return the executed notebooks in the order of the report."""
    folder = report.parent / "notebooks"
    return {name: nbformat.read(folder / f"{name}.ipynb", 4) for name in ["99_comparison", *CHAPTERS[:-1]]}


def outputs(notebook):
    """Return the outputs of all cells of a notebook."""
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def figures(notebooks):
    """Return the metadata and the data of every figure, in the order of the report."""
    every = [output for notebook in notebooks.values() for output in outputs(notebook)]
    return [(each.metadata[SVG], each.data) for each in every if SVG in each.get("data", {})]


@pytest.mark.timeout(1200)
def test_the_shipped_smoke_study_runs_every_notebook(shipped, notebooks):
    """One command trains every technique in small; no notebook fails or complains, and nothing is left out."""
    checkout, finished = shipped
    assert len(CHAPTERS) == 13
    assert CHAPTERS[-1] == "99_comparison"
    assert set(load_profile("smoke").techniques) == set(TECHNIQUES)
    assert (finished.returncode, finished.stderr) == (0, "")
    executed = re.findall(r"^(\w+): executed, because of ", finished.stdout, flags=re.MULTILINE)
    assert sorted(executed) == CHAPTERS
    assert set(checkout.missing().values()) == {0}
    page = checkout.page()
    assert "This chapter failed." not in page
    assert "This profile has no" not in page
    assert "This profile trains no" not in page
    for name, notebook in notebooks.items():
        shown = outputs(notebook)
        assert not [output for output in shown if output.get("name") == "stderr"], name
        found = [each for each in shown if each.get("metadata", {}).get("lstmstudy", {}).get("finding")]
        assert found, name


def test_a_second_build_of_it_gives_the_same_bytes(shipped):
    """Nothing is trained or executed again, and every page is equal byte for byte."""
    checkout, _ = shipped
    before, pages = checkout.outcomes(), {name: checkout.page(name) for name in ("report", *CHAPTERS)}
    again = checkout.report()
    assert again.stdout.splitlines()[:2] == [
        f"runs: all {len(before)} are stored",
        "notebooks: nothing changed",
    ]
    assert checkout.outcomes() == before
    assert {name: checkout.page(name) for name in pages} == pages


def test_its_store_is_verified(shipped):
    """Every stored file is whole, and runs that are trained again have the stored bits."""
    checkout, _ = shipped
    finished = checkout.study("verify", "--profile", "smoke", "--sample", "2")
    assert (finished.returncode, finished.stderr) == (0, ""), finished.stdout
    assert finished.stdout.count("the same bits") == 2


def test_what_it_recommends_repeats_its_error(shipped, report):
    """Beside the report lies a network for each task, and its script finds the test error of its run to 1e-5."""
    places = sorted((report.parent / "recommended").iterdir())
    assert [place.name for place in places] == sorted(load_profile("smoke").tasks)
    for place in places:
        ran = shipped[0].run(str(place / "predict.py"))
        found, known = (float(each) for each in re.findall(r": ([\d.]+)", ran.stdout))
        assert found == pytest.approx(known, rel=1e-5)


def test_it_is_small_enough_to_share(report):
    """The report keeps its budget by far, as the full study has about twice the figures' points and ten times the runs."""
    assert report.stat().st_size < LIMIT / 2


def test_every_figure_has_a_title_an_alt_text_and_its_numbers(notebooks):
    """No figure of the study is without the sentence that it states, a description, and the data behind it."""
    found = figures(notebooks)
    assert len(found) > 30
    for about, data in found:
        assert 10 < len(about["title"]) <= 115, about
        assert not about["title"].endswith(".")
        assert len(about["alt"]) > 40
        assert len(list(csv.reader(io.StringIO(data["text/csv"])))) > 1


def test_the_page_is_quiet_and_asks_for_nothing(report, visit):
    """Opened from disk without a network it makes no request beside its own, and its console stays empty."""
    visited = visit(report)
    visited.page.wait_for_load_state("networkidle")
    assert visited.requests == [f"file://{report}"]
    assert visited.messages == []


def test_every_picture_has_the_alt_text_of_its_notebook_and_is_drawn(report, visit, notebooks):
    """In the browser each image has its description, word for word, and is neither broken nor empty."""
    page = visit(report).page
    shown = page.eval_on_selector_all("main img", "all => all.map(each => [each.alt, each.naturalWidth])")
    assert [alt for alt, _ in shown] == [about["alt"] for about, _ in figures(notebooks)]
    assert all(width > 100 for _, width in shown)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.timeout(600)
def test_axe_finds_nothing(report, visit, scheme):
    """No violation of WCAG 2.2 AA or of best practice, in both schemes, with all folds open."""
    visited = visit(report, scheme=scheme)
    visited.page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    visited.page.wait_for_function("document.querySelectorAll('details.data table').length > 30")
    assert visited.violations() == []


def test_axe_finds_nothing_on_a_phone(report, visit):
    """Nor where the page is narrow and tables scroll in boxes of their own."""
    assert visit(report, width=NARROW, height=740).violations() == []


def test_the_dark_page_is_dark_and_its_figures_with_it(report, visit):
    """With a dark scheme paper and ink change places, in the page and in the pictures."""

    def colours(scheme):
        page = visit(report, scheme=scheme).page
        figure = page.locator("figure img").first
        figure.scroll_into_view_if_needed()
        corner = page.evaluate(
            """async image => {
              const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
              const pen = canvas.getContext("2d");
              pen.drawImage(image, 0, 0);
              return [...pen.getImageData(2, 2, 1, 1).data].slice(0, 3);
            }""",
            figure.element_handle(),
        )
        body = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return corner, [int(part) for part in re.findall(r"\d+", body)]

    for scheme, is_dark in (("light", False), ("dark", True)):
        for paper in colours(scheme):
            assert (max(paper) < 60) is is_dark, (scheme, paper)
            assert (min(paper) > 200) is not is_dark, (scheme, paper)


@pytest.mark.parametrize("name", ["report", "notebooks/07_augmentation", "notebooks/99_comparison"])
def test_a_narrow_page_never_scrolls_sideways(report, visit, name):
    """At 360 pixels the page is as wide as the window; what is wider scrolls in a box that the keyboard reaches."""
    page = visit(report.parent / f"{name}.html", width=NARROW, height=740).page
    assert page.evaluate("document.documentElement.scrollWidth") == NARROW
    boxes = page.eval_on_selector_all(
        ".scroll",
        "all => all.filter(each => each.scrollWidth > each.clientWidth + 1).map(each => each.tabIndex)",
    )
    assert boxes
    assert set(boxes) == {0}


def claims(page):
    """Return the claim table's rows as a reader sees them: the texts of the cells."""
    return page.eval_on_selector_all(
        "tr[id^='claim.']:not([hidden])",
        "all => all.map(row => [...row.cells].map(cell => cell.innerText.replace('#', '').trim()))",
    )


def test_the_claim_table_is_sorted_by_a_click(report, visit):
    """A header sorts its column upwards, then downwards, by number where it has numbers, and says so to a screen reader."""
    page = visit(report).page
    table = page.locator("table", has=page.locator("tr[id^='claim.']"))
    before = claims(page)
    assert [row[0] for row in before] == [claim.words for claim in load_claims().values()]
    for column, key in ((0, str.lower), (5, int)):
        header = table.locator("thead th").nth(column)
        name = header.get_by_role("button")
        name.click()
        values = [key(row[column]) for row in claims(page)]
        assert header.get_attribute("aria-sort") == "ascending"
        assert values == sorted(values)
        name.click()
        assert header.get_attribute("aria-sort") == "descending"
        assert [key(row[column]) for row in claims(page)] == sorted(values, reverse=True)
        assert table.locator("[aria-sort]").count() == 1
    assert sorted(claims(page)) == sorted(before)


def test_numbers_are_sorted_as_numbers_and_empty_cells_come_last(report, visit):
    """Costs are sorted by their size, not as texts, and a cell without a number stays below in both directions."""
    page = visit(report).page
    table = page.locator("table", has_text="Cost of a run").first
    for turn in ("ascending", "descending"):
        table.get_by_role("button", name="change of test error").click()
        cells = table.locator("tbody tr td:nth-child(2)")
        shown = page.evaluate(
            "cells => cells.map(cell => [cell.innerText, Number(cell.dataset.sort ?? NaN)])",
            cells.element_handles(),
        )
        numbers = [number for text, number in shown if text]
        assert numbers == sorted(numbers, reverse=turn == "descending")
        assert [bool(text) for text, _ in shown] == sorted((bool(text) for text, _ in shown), reverse=True)


def test_the_claim_table_is_filtered_by_words_and_by_verdict(report, visit):
    """Words, ids and a verdict leave the rows that have them, a count says how many, and emptied they are all back."""
    page = visit(report).page
    every = len(claims(page))
    words = page.get_by_role("searchbox", name="Filter by words")
    words.fill("layer norm CONVERGES")
    assert [row[0] for row in claims(page)] == ["Layer norm converges faster."]
    assert page.get_by_role("status").first.inner_text() == f"1 of {every}"
    words.fill("ln-small")
    assert len(claims(page)) == 1
    words.fill("")
    page.get_by_label("Filter by verdict").select_option("described, not judged")
    assert {row[1] for row in claims(page)} == {"described, not judged"}
    page.get_by_label("Filter by verdict").select_option("")
    assert len(claims(page)) == every


def test_a_link_to_a_claim_shows_its_row_and_leads_to_its_chapter(report, visit):
    """A deep link brings the row into view, even if it was filtered away, and its words lead to the chapter's verdict."""
    page = visit(report, anchor="#claim.l2-over-l1").page
    row = page.locator("tr[id='claim.l2-over-l1']")
    assert in_view(page, row)
    page.get_by_role("searchbox", name="Filter by words").fill("nothing like this")
    assert row.is_hidden()
    page.evaluate("location.hash = ''; location.hash = '#claim.l2-over-l1'")
    page.wait_for_function("!document.getElementById('claim.l2-over-l1').hidden")
    row.get_by_role("link", name="L2 works better than L1.", exact=True).click()
    assert page.url.endswith("#04_weight_penalties--the-verdict")
    assert in_view(page, page.locator("[id='04_weight_penalties--the-verdict']"))


def in_view(page, place):
    """Whether an element stands in the window."""
    box = place.bounding_box()
    return box is not None and -1 <= box["y"] <= page.viewport_size["height"]


def test_every_address_in_the_page_leads_somewhere(report, visit):
    """Each link within the page has a target, and chapters, figures, sections and claims have addresses of their own."""
    page = visit(report).page
    broken, count = page.evaluate(
        """() => {
          const links = [...document.querySelectorAll('a[href^="#"]')].map(a => decodeURIComponent(a.hash.slice(1)));
          return [links.filter(id => !document.getElementById(id)), links.length];
        }"""
    )
    assert broken == []
    assert count > 200
    anchors = page.eval_on_selector_all(".anchor", "all => all.map(each => each.hash.slice(1))")
    for wanted in [*CHAPTERS, "01_dropout.figure-1", "04_weight_penalties--the-verdict", "claim.dropout"]:
        assert wanted in anchors, wanted


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_has_a_page_of_its_own_whose_links_lead_on(report, visit, name):
    """Beside each executed notebook lies its page; links to other chapters and to claims lead to their pages."""
    folder = report.parent / "notebooks"
    visited = visit(folder / f"{name}.html")
    assert visited.messages == []
    assert visited.page.locator("section.chapter").count() == 1
    addresses = visited.page.eval_on_selector_all("a", "all => all.map(each => each.getAttribute('href'))")
    files = {each.partition("#")[0] for each in addresses} - {""}
    local = {each for each in files if not each.startswith(("https:", "data:"))}
    assert all((folder / each).exists() for each in local), local
    if name == "01_dropout":
        assert local == {"99_comparison.html"}


def test_the_contents_follow_the_reader(report, visit):
    """The heading that is being read is the current one in the list, with the sections of its chapter alone beneath."""
    page = visit(report).page
    for chapter in ("03_normalization", "09_validation_schemes", "00_overfitting"):
        page.evaluate("id => document.getElementById(id).scrollIntoView({block: 'start'})", chapter)
        page.wait_for_function(
            "id => document.querySelector('.contents [aria-current]').hash === '#' + id", arg=chapter
        )
        assert page.locator(".contents [aria-current]").count() == 1
        assert page.locator(".contents li.open").count() == 1
        assert in_view(page, page.locator(".contents [aria-current]"))
    page.locator(".contents a", has_text="Weight penalties").first.click()
    assert in_view(page, page.locator("[id='04_weight_penalties.title']"))


def test_code_is_folded_and_unfolds(report, visit):
    """Code for reading stands open, other code is folded; one button opens and closes all of it."""
    page = visit(report).page
    folds = page.locator("details.code")
    opened = page.locator("details.code[open]")
    assert 10 < opened.count() < folds.count() / 2
    page.get_by_role("button", name="Show all code").click()
    assert opened.count() == folds.count()
    page.get_by_role("button", name="Hide all code").click()
    assert opened.count() == 0


def test_the_numbers_of_a_figure_are_a_click_away(report, visit, notebooks):
    """Opened, the fold beneath a figure has a table with the numbers of its notebook, and the link saves the same."""
    page = visit(report).page
    _, data = figures(notebooks)[0]
    rows = list(csv.reader(io.StringIO(data["text/csv"])))
    fold = page.locator("details.data").first
    fold.locator("summary").click()
    table = fold.locator("table")
    table.wait_for()
    assert [each.strip("↕↑↓") for each in table.locator("thead th").all_inner_texts()] == rows[0]
    shown = page.evaluate(
        "table => [...table.tBodies[0].rows].map(row => [...row.cells].map(cell => cell.textContent))",
        table.element_handle(),
    )
    assert shown == rows[1:]
    with page.expect_download() as saved:
        fold.get_by_role("link").click()
    assert saved.value.path().read_text(encoding="utf-8") == data["text/csv"]
    assert saved.value.suggested_filename == "99_comparison.figure-1.csv"


def test_a_table_is_saved_as_it_is_shown(report, visit):
    """The button of a table saves its header and the rows that a filter leaves, as CSV."""
    page = visit(report).page
    page.get_by_role("searchbox", name="Filter by words").fill("batch norm")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as CSV: The guide's claims").click()
    head, *rows = csv.reader(io.StringIO(saved.value.path().read_text(encoding="utf-8")))
    assert head[:2] == ["claim", "verdict"]
    assert [row[0] for row in rows] == [row[0] for row in claims(page)]
    assert len(rows) > 1


def test_the_runs_come_out_of_the_page(report, visit):
    """The table of runs and the findings are saved from the page as they lie beside it."""
    page = visit(report).page
    for name, unpacked in (("runs.csv.gz", gzip.decompress), ("findings.json", bytes)):
        with page.expect_download() as saved:
            page.get_by_role("link", name=name).click()
        assert (
            unpacked(saved.value.path().read_bytes())
            == (report.parent / name.removesuffix(".gz")).read_bytes()
        )


def test_the_citation_is_copied(report, visit):
    """A button puts the BibTeX entry on the clipboard."""
    visited = visit(report)
    visited.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visited.page.get_by_role("button", name="Copy the citation").click()
    visited.page.get_by_role("button", name="Copied").wait_for()
    assert visited.page.evaluate("navigator.clipboard.readText()").startswith("@software{lstmstudy,")


def test_the_keyboard_reaches_everything_in_order(report, visit):
    """The first stop leads past the contents, a header is sorted by Enter, and focus is always visible."""
    page = visit(report).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "report.content"
    header = page.locator("th button.sort").first
    header.focus()
    page.keyboard.press("Enter")
    assert page.locator("[aria-sort=ascending]").count() == 1
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_without_a_script_the_page_says_the_same(report, visit):
    """Every table, figure, number and chapter is there, and the data of figures can be saved."""
    with_script, without = visit(report).page, visit(report, script=False).page
    for part in ("section", "figure", "table", "math", "details.data a[download]"):
        assert without.locator(part).count() == with_script.locator(part).count() > 0
    assert without.locator("tr[id='claim.dropout']").is_visible()


def test_on_paper_nothing_is_lost(report, visit):
    """Printed, controls are gone, the contents stay, nothing is wider than the sheet, and folds say where their content is."""
    page = visit(report, width=PRINTED).page
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= PRINTED
    for gone in ("button:not(.sort)", ".tools", ".anchor", ".skip", "th .arrow"):
        assert page.locator(gone).filter(visible=True).count() == 0, gone
    for kept in ("#report\\.content figure", "th button.sort", "figcaption", "caption", "td"):
        assert page.locator(kept).filter(visible=True).count() > 20, kept
    assert page.locator(".contents a", has_text="Weight penalties").first.is_visible()
    folded = page.locator("details.code:not([open]) > summary").first
    assert "in the file" in page.evaluate(
        "each => getComputedStyle(each, '::after').content", folded.element_handle()
    )
    breaks = page.eval_on_selector_all(
        "section.chapter:not(.first)", "all => all.map(each => getComputedStyle(each).breakBefore)"
    )
    assert set(breaks) == {"page"}
    assert len(page.pdf(format="A4")) > 100_000
