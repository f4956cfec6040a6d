"""The build from parameters to the report, through the real command line, in copies of the checkout."""

from __future__ import annotations

import base64
import html
import json
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from checkout import leave_away

from lstmstudy import paths
from lstmstudy.__main__ import main
from lstmstudy.claims.table import load_claims
from lstmstudy.store.outcomes import RunStore, result_digest

pytest_plugins = ["checkout"]

LAYER = "lstmstudy/layers/input_dropout.py"
FOUND_AGAIN = """
from pathlib import Path
from lstmstudy.verdicts.kept import recomputed, read_findings
from lstmstudy.plan import make_plan
folder = Path("reports/smoke")
print("the same" if recomputed(make_plan("smoke"), folder) == read_findings(folder) else "another one")
"""
NOTHING_TRAINED = "runs: all 52 are stored"
NOTHING_EXECUTED = "notebooks: nothing changed"
CHAPTERS = (
    "00_overfitting",
    "01_dropout",
    "02_recurrent_variational_dropout",
    "05_early_stopping",
    "98_methods",
    "99_comparison",
)
MINE = """\
tasks: [sunspots]
techniques: [dropout]
compared: [dropout per=step]
units: 15
network: {layers: 1, width: 8}
training: {epochs: 6, batch_size: 32, learning_rate: 0.003}
grids:
  dropout: {rate: [0.3], per: [step]}
"""


class Page(HTMLParser):
    """A page as its elements, and the text of each section and finding."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.titles, self.findings, self.sections = [], {}, [], {}
        self.section, self.target = "", None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """Keep the element, and where its text goes."""
        known = dict(attrs)
        self.elements.append((tag, known))
        if tag == "section":
            self.section = known["id"]
            self.sections[self.section] = ""
        if tag == "h2":
            self.titles[self.section] = ""
            self.target = "title"
        if known.get("class") in ("finding", "prose note"):
            self.findings.append("")
            self.target = "finding"
        if tag == "img" and self.section:
            self.sections[self.section] += f" {known['alt']}"

    def handle_endtag(self, tag):
        """Note where a title or a finding ends."""
        if (tag, self.target) in {("h2", "title"), ("div", "finding")}:
            self.target = None
        if tag == "section":
            self.section = ""

    def handle_data(self, data):
        """Add text to what is open."""
        if self.section:
            self.sections[self.section] += data
        if self.target == "title":
            self.titles[self.section] += data
        if self.target == "finding":
            self.findings[-1] += data


def titles(checkout):
    """Return the title of each notebook, by name."""
    sources = {name: nbformat.read(checkout.root / "notebooks" / f"{name}.ipynb", 4) for name in CHAPTERS}
    return {
        name: source.cells[0].source.splitlines()[0].removeprefix("# ") for name, source in sources.items()
    }


def executed(finished):
    """Return what the build said about each notebook that it executed."""
    return dict(re.findall(r"^(\w+): executed, because of (.*)$", finished.stdout, flags=re.MULTILINE))


def with_cell(checkout, name, source):
    """Put a cell of code behind the parameters of a notebook, and return the text that was there before."""
    path = checkout.root / "notebooks" / f"{name}.ipynb"
    before = path.read_text(encoding="utf-8")
    notebook = json.loads(before)
    cell = {"cell_type": "code", "execution_count": None, "id": "added", "metadata": {}, "outputs": []}
    notebook["cells"].insert(2, {**cell, "source": source})
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return before


def test_the_smoke_study_ends_in_a_report(smoke):
    """One command trains everything, says what it found, ends with the report's place, and complains of nothing."""
    built, finished = smoke
    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout.splitlines()[0].startswith("runs: 52 of 52 to train, about ")
    assert finished.stdout.splitlines()[-1] == "report: reports/smoke/report.html"
    assert set(executed(finished)) == set(CHAPTERS)
    assert "\r" not in finished.stdout
    assert len(built.outcomes()) == 52
    assert set(built.missing().values()) == {0}


def test_the_report_loads_nothing(smoke):
    """Every address in the page, and in the pictures in it, is a place in the page or the data itself."""
    page = smoke[0].page()
    pictures = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", page)
    assert len(pictures) >= len(CHAPTERS)
    addresses = []
    for text in (page, *(base64.b64decode(picture).decode() for picture in pictures)):
        addresses += re.findall(r"""url\(["']?([^)]*)""", text)
        assert "@import" not in text
        for tag, attributes in Page(text).elements:
            assert tag not in {"iframe", "object", "embed", "base"}
            assert not (tag == "link" and attributes.get("rel") == "stylesheet")
            assert not (tag == "script" and "src" in attributes)
            loads = ("src", "href", "xlink:href", "srcset", "poster", "data", "action")
            found = [attributes[name] for name in loads if name in attributes]
            # A link into the web is followed by a reader, not by the page.
            addresses += [each for each in found if tag != "a" or not each.startswith("https://")]
    assert len(addresses) > len(pictures)
    assert [address for address in addresses if not address.startswith(("#", "data:"))] == []


def test_the_report_has_every_chapter_under_its_title(smoke):
    """Each notebook is a section with its title; the comparison comes first, as what was found."""
    built, _ = smoke
    page = Page(built.page())
    expected = {**titles(built), "99_comparison": "What was found"}
    found = {name: html.unescape(title) for name, title in page.titles.items() if name in expected}
    assert found == expected
    assert next(iter(page.sections)) == "99_comparison"


def test_the_report_shows_the_curves_of_every_task(smoke):
    """The learning curves of the baseline and of each technique's arms are there for both tasks of the profile."""
    page = Page(smoke[0].page())
    assert "Learning curves of the baseline on Sunspots and Digits by rows" in page.sections["00_overfitting"]
    for name in ("01_dropout", "02_recurrent_variational_dropout"):
        assert "Test error over epochs of " in page.sections[name]
    pictures = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", smoke[0].page())
    drawn = [base64.b64decode(picture).decode() for picture in pictures]
    both = [text for text in drawn if ">Sunspots<" in text and ">Digits by rows<" in text]
    assert len(both) >= 5


def test_the_report_says_where_its_numbers_come_from(smoke):
    """A section has commit, hash of the runs, versions, machine, data and parameters."""
    built, _ = smoke
    words = Page(built.page()).sections["report.provenance"]
    for label in ("Commit", "Table of runs", "Python", "keras", "numpy", "Trained on", "Data", "Parameters"):
        assert label in words
    assert re.search(r"sha256 [0-9a-f]{64}", words)
    assert "sunspots: Tuned at 2x32, the nearest size." in words
    assert "units: 2" in words
    assert "scikit-learn" in words


def test_what_the_command_found_is_what_the_page_says(smoke):
    """The indented lines of the output are the claims, a line each, with the verdicts that the page has."""
    built, finished = smoke
    printed = [line.strip() for line in finished.stdout.splitlines() if line.startswith("  ")]
    page = " ".join(Page(built.page()).sections["99_comparison"].split())
    claims = load_claims()
    told, advised = printed[: len(claims)], printed[len(claims) :]
    assert [line.partition(" ")[0] for line in told] == list(claims)
    assert [line.partition(" ")[0] for line in advised] == ["On", "On"]  # what to use, a line for each task
    for line, claim in zip(told, claims.values(), strict=True):
        assert line.endswith(claim.words)
        assert claim.words in page
        assert re.search(r"  (described, not judged|judged in (default|full)) ", line)


def test_everything_that_was_found_follows_from_the_tables_beside_the_page(trained):
    """Without any outcome, from the files in the report's folder alone, the same findings are computed again."""
    for path in trained.store.glob("*.npz"):
        path.unlink()
    again = trained.run("-c", FOUND_AGAIN)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout == "the same\n"


def test_altered_findings_are_computed_again(trained):
    """Who edits the document changes no report: what its stamp does not know is measured anew."""
    path = trained.root / "reports" / "smoke" / "findings.json"
    before = path.read_bytes()
    path.write_text("{}", encoding="utf-8")
    finished = trained.report()
    words = "reports/smoke/: findings or tables were altered; computed again\n"
    assert (finished.returncode, finished.stderr) == (0, words)
    assert path.read_bytes() == before


def test_no_executed_notebook_has_an_error(smoke):
    """Every code cell ran, in order, without an error and without a word on the error stream."""
    built, _ = smoke
    files = sorted((built.root / "reports" / "smoke" / "notebooks").glob("*.ipynb"))
    assert [path.stem for path in files] == list(CHAPTERS)
    assert sorted(path.stem for path in files[0].parent.glob("*.html")) == list(CHAPTERS)
    for path in files:
        cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
        assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
        outputs = [output for cell in cells for output in cell.outputs]
        assert outputs
        assert [output for output in outputs if output.output_type == "error"] == []
        assert [output.text for output in outputs if output.get("name") == "stderr"] == []


def test_nothing_in_the_report_tells_where_it_was_built(smoke):
    """No path of this machine is in the page: neither the checkout's nor the environment's."""
    built, _ = smoke
    page = built.page()
    for place in (str(built.root), str(built.root.parent.parent), sys.prefix, f"{Path.home()}/"):
        assert place not in page


def test_a_second_build_does_nothing_and_gives_the_same_bytes(smoke, trained):
    """In another folder, from the same outcomes, nothing is trained or executed and the page is the same."""
    before = trained.outcomes()
    finished = trained.report()
    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout.splitlines()[:2] == [NOTHING_TRAINED, NOTHING_EXECUTED]
    assert trained.outcomes() == before
    for name in ("report", *CHAPTERS):
        assert trained.page(name) == smoke[0].page(name)


def test_edited_prose_executes_its_notebook_alone(trained):
    """The build names the file as the reason, trains nothing, and the page has the new words."""
    before = trained.outcomes()
    trained.edit(
        "notebooks/99_comparison.ipynb", "# All techniques side by side\\n", "# All\\n\\nNew words.\\n"
    )
    finished = trained.report()
    assert finished.returncode == 0
    assert NOTHING_TRAINED in finished.stdout
    assert executed(finished) == {"99_comparison": "notebooks/99_comparison.ipynb"}
    assert trained.outcomes() == before
    assert "<p>New words." in trained.page()


def test_edited_comments_do_nothing(smoke, trained):
    """A comment and a docstring in the code of a technique and of its layer make nothing stale."""
    trained.edit("lstmstudy/techniques/dropout.py", '    """Whether nothing', '    """Tell whether nothing')
    for name in ("lstmstudy/techniques/dropout.py", LAYER):
        path = trained.root / name
        words = path.read_text(encoding="utf-8").replace("arXiv:1409.2329", "arXiv:1409.2329v5")
        path.write_text(f"# A comment.\n{words}# Another.\n", encoding="utf-8")
    trained.edit(
        "lstmstudy/techniques/dropout.py",
        'arXiv:1409.2329v5; Gal and Ghahramani 2016, arXiv:1512.05287"',
        'arXiv:1409.2329; Gal and Ghahramani 2016, arXiv:1512.05287"',
    )
    finished = trained.report()
    assert finished.returncode == 0
    assert finished.stdout.splitlines()[:2] == [NOTHING_TRAINED, NOTHING_EXECUTED]
    assert trained.page() == smoke[0].page()


def test_an_edited_template_is_rendered_without_executing(smoke, trained):
    """A change of how the report looks shows in the page, and no notebook and no run has to do with it."""
    trained.edit("lstmstudy/report/template/page.html.j2", "none was typed.", "none was typed in.")
    finished = trained.report()
    assert finished.returncode == 0
    assert finished.stdout.splitlines()[:2] == [NOTHING_TRAINED, NOTHING_EXECUTED]
    assert trained.page() == smoke[0].page().replace("none was typed.", "none was typed in.")
    assert "none was typed in." in trained.page()


def damage(checkout):
    """Truncate, empty and alter one outcome each; return the results that these had, by the name of the file."""
    store, (truncated, emptied, altered) = RunStore(checkout.store), sorted(checkout.store.glob("*.npz"))[:3]
    results = {
        path.name: result_digest(store.load(path.name.partition("-")[0]).result)
        for path in (truncated, emptied, altered)
    }
    truncated.write_bytes(truncated.read_bytes()[:-100])
    emptied.write_bytes(b"")
    data = bytearray(altered.read_bytes())
    data[len(data) // 2] ^= 1
    altered.write_bytes(data)
    return results


@pytest.fixture(scope="module")
def continued(planned, tmp_path_factory, wait):
    """Return a study of one's own that was killed, damaged and continued, and what was seen of it."""
    checkout = planned.copy(tmp_path_factory.mktemp("mine") / "checkout")
    (checkout.root / "params" / "mine.yaml").write_text(MINE, encoding="utf-8")
    seen = {"planned": checkout.missing("mine")}
    building = checkout.started("report", "--profile", "mine")
    seen["began"] = wait(lambda: len(checkout.outcomes()) >= 4)
    seen["running"] = len(checkout.processes())
    building.kill()
    building.wait()
    seen["ended"] = wait(lambda: not checkout.processes(), seconds=20)
    seen["killed"] = checkout.outcomes()
    seen["damaged"] = damage(checkout)
    seen["finished"] = checkout.study("report", "--profile", "mine", "--only", "01_dropout")
    yield checkout, seen
    for process in checkout.processes():
        process.kill()


@pytest.fixture
def mine(continued, tmp_path):
    """Return a checkout of the test's own, in which one chapter of the study of one's own was built."""
    return continued[0].copy(tmp_path / "mine")


def test_a_killed_build_is_continued_from_what_it_stored(continued):
    """After kill -9 in the middle no process is left; the next build keeps what is whole and trains the rest."""
    checkout, seen = continued
    assert seen["planned"] == {
        "00_overfitting": 15,
        "01_dropout": 60,
        "98_methods": 15,
        "99_comparison": 32,
        "all": 62,
    }
    assert seen["began"]
    assert seen["running"] >= 2
    assert seen["ended"]
    whole = {name: time for name, time in seen["killed"].items() if name not in seen["damaged"]}
    assert 0 < len(whole) < 57
    finished = seen["finished"]
    assert finished.returncode == 0
    assert finished.stdout.startswith(f"runs: {60 - len(whole)} of 60 to train (")
    assert whole.items() <= checkout.outcomes().items()
    assert len(checkout.outcomes()) == 60
    # Of the whole study only the baseline on the seeds of the search is left, which no other chapter needs.
    missing = checkout.missing("mine")
    assert {name: count for name, count in missing.items() if count} == {"99_comparison": 2, "all": 2}


def test_damaged_outcomes_are_named_set_aside_and_trained_again(continued):
    """A truncated, an emptied and an altered file are told from whole ones, and give the same results anew."""
    checkout, seen = continued
    assert sorted(seen["finished"].stderr.splitlines()) == [
        f"reports/store/{name} is damaged: "
        f"it was set aside as {Path(name).stem}.damaged, and its run is trained again."
        for name in sorted(seen["damaged"])
    ]
    aside = {path.stem for path in checkout.store.glob("*.damaged")}
    assert aside == {Path(name).stem for name in seen["damaged"]}
    store = RunStore(checkout.store)
    for name, result in seen["damaged"].items():
        assert result_digest(store.load(name.partition("-")[0]).result) == result


def test_one_chapter_is_a_page_of_its_own(continued):
    """ONLY=01_dropout executes that notebook alone, and prints what its page says."""
    checkout, seen = continued
    finished = seen["finished"]
    assert executed(finished).keys() == {"01_dropout"}
    assert finished.stdout.splitlines()[-1] == "report: reports/mine/notebooks/01_dropout.html"
    assert not (checkout.root / "reports" / "mine" / "report.html").exists()
    chapter = Page(checkout.page("01_dropout", "mine"))
    assert chapter.titles["01_dropout"] == titles(checkout)["01_dropout"]
    assert not set(CHAPTERS) & set(chapter.sections) - {"01_dropout"}
    printed = [line.strip() for line in finished.stdout.splitlines() if line.startswith("  ")]
    assert printed
    words = " ".join(chapter.findings).split()
    assert words == " ".join(printed).split()


def test_edited_code_of_a_layer_retrains_what_it_concerns(mine):
    """After an edit of the dropout layer one chapter says so, and trains its arms with dropout and no others."""
    mine.edit(LAYER, "if not training:", "if not training or False:")
    assert mine.missing() == {
        "00_overfitting": 4,
        "01_dropout": 24,
        "02_recurrent_variational_dropout": 32,
        "05_early_stopping": 4,
        "98_methods": 4,
        "99_comparison": 32,
        "all": 52,
    }
    assert mine.missing("mine") == {
        "00_overfitting": 0,
        "01_dropout": 30,
        "98_methods": 0,
        "99_comparison": 17,
        "all": 32,
    }
    leave_away(mine.root / "notebooks" / "01_dropout.ipynb", "show(", "say(")
    before = mine.outcomes()
    finished = mine.study("report", "--profile", "mine", "--only", "01_dropout")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout.startswith("runs: 30 of 60 to train (dropout), about ")
    assert LAYER in executed(finished)["01_dropout"]
    assert before.items() <= mine.outcomes().items()
    assert len(mine.outcomes()) == 90
    assert mine.missing("mine")["all"] == 2
    assert mine.missing()["all"] == 52


def test_edited_code_makes_stale_what_runs_through_it(trained):
    """Of the smoke study an edit of the dropout layer concerns 16 runs, an edit of the cell's hook 24, of masks 40."""
    before = trained.outcomes()
    trained.edit(LAYER, "if not training:", "if not training or False:")
    dropout = trained.missing()
    trained.edit(LAYER, "if not training or False:", "if not training:")
    trained.edit("lstmstudy/layers/recurrent_dropout.py", "return h * noise", "return noise * h")
    recurrent = trained.missing()
    trained.edit(
        "lstmstudy/layers/masks.py", "uniform(shape, stream) >= rate", "rate <= uniform(shape, stream)"
    )
    both = trained.missing()
    assert [dropout["01_dropout"], dropout["02_recurrent_variational_dropout"], dropout["all"]] == [16, 0, 16]
    assert [recurrent["01_dropout"], recurrent["02_recurrent_variational_dropout"]] == [0, 24]
    assert [both["00_overfitting"], both["05_early_stopping"], both["all"]] == [0, 0, 40]
    assert trained.outcomes() == before


def test_a_build_killed_while_it_executes_leaves_no_process(trained, wait):
    """After kill -9 the processes that execute notebooks, and their kernels, end by themselves."""
    with_cell(trained, "99_comparison", "import time\ntime.sleep(60)")
    building = trained.started("report", "--profile", "smoke")

    def kernels():
        return [each for each in trained.processes() if "ipykernel_launcher" in " ".join(each.cmdline())]

    assert wait(kernels)
    building.kill()
    building.wait()
    assert wait(lambda: not trained.processes(), seconds=20), trained.processes()


def test_a_failing_notebook_leaves_the_rest_standing(smoke, trained):
    """The report shows the failure beside the other chapters, the exit code says it, and a repair runs it alone."""
    before = with_cell(trained, "01_dropout", "raise ValueError('this figure cannot be drawn')")
    failed = trained.report()
    assert failed.returncode == 1
    assert executed(failed) == {"01_dropout": "notebooks/01_dropout.ipynb"}
    (line,) = failed.stderr.splitlines()
    assert re.fullmatch(r"01_dropout: failed in cell \d+: ValueError: this figure cannot be drawn", line)
    page, whole = Page(trained.page()), Page(smoke[0].page())
    assert page.titles == whole.titles
    assert "This chapter failed." in page.sections["01_dropout"]
    assert "ValueError: this figure cannot be drawn" in page.sections["01_dropout"]
    others = [name for name in CHAPTERS if name != "01_dropout"]
    assert {name: page.sections[name] for name in others} == {name: whole.sections[name] for name in others}

    (trained.root / "notebooks" / "01_dropout.ipynb").write_text(before, encoding="utf-8")
    repaired = trained.report()
    assert (repaired.returncode, repaired.stderr) == (0, "")
    assert executed(repaired).keys() == {"01_dropout"}
    assert trained.page() == smoke[0].page()


def test_a_notebook_that_is_none_leaves_the_rest_standing(trained):
    """A chapter whose file cannot be read, such as one with marks of a merge, fails like any other."""
    (trained.root / "notebooks" / "00_overfitting.ipynb").write_text("<<<<<<< HEAD\n", encoding="utf-8")
    for path in (trained.root / "reports" / "smoke" / "notebooks").glob("00_overfitting.*"):
        path.unlink()
    failed = trained.report()
    assert failed.returncode == 1
    assert "Traceback" not in failed.stderr
    assert "00_overfitting" in failed.stderr
    page = Page(trained.page())
    assert "This chapter failed." in page.sections["00_overfitting"]
    assert "Test error over epochs" in page.sections["01_dropout"]


def test_a_run_that_the_machine_ends_is_missing_and_the_rest_goes_on(mine):
    """The run is named on stderr and in the page, its unit enters no number, and the exit code is 1."""
    mine.files("mine")["baseline", "sunspots", 1].unlink()
    start = "    return train_on(run, _task(run.task, cache))\n"
    dies = "    if run.seed == 1 and not run.recipe.techniques:\n        os._exit(9)\n"
    mine.edit("lstmstudy/workers/pool.py", start, f"{dies}{start}")
    before = mine.outcomes()
    finished = mine.study("report", "--profile", "mine", "--only", "01_dropout")
    assert finished.returncode == 1
    assert finished.stdout.startswith("runs: 1 of 60 to train (baseline)")
    (line,) = finished.stderr.splitlines()
    assert line.startswith("missing: baseline on sunspots, fold 1, seed 1: its worker ended twice")
    assert mine.outcomes() == before
    chapter = Page(mine.page("01_dropout", "mine"))
    assert "its worker ended twice" in chapter.sections["report.failures"]
    assert "1 run is missing" in mine.page("01_dropout", "mine").split('<section id="01_dropout"')[0]
    assert "This chapter failed." not in chapter.sections["01_dropout"]
    assert any("14 paired units" in finding for finding in chapter.findings)


def change_outcomes(checkout, lines):
    """Let workers change the outcome of a run, or refuse it, by some lines of code."""
    start = "    return train_on(run, _task(run.task, cache))\n"
    checkout.edit("lstmstudy/workers/pool.py", start, f"{lines}{start}")


def test_a_report_without_a_task_is_whole_and_says_so(trained):
    """Where no run of a task can be trained, every chapter stands on the others, and the top names what is missing."""
    for (_, task, _), path in trained.files().items():
        if task == "sunspots":
            path.unlink(missing_ok=True)
    change_outcomes(
        trained, "    if run.task == 'sunspots':\n        raise RuntimeError('the series is gone')\n"
    )
    finished = trained.report()
    assert finished.returncode == 1
    assert "failed in" not in finished.stderr
    assert "RuntimeError: the series is gone" in finished.stderr
    page = trained.page()
    top = page.split('<section id="99_comparison"')[0]
    assert re.search(r"<strong>\d+ runs are missing</strong>", top)
    assert re.search(r"every recipe on Sunspots: all \d+ missing", top)
    assert "This chapter failed." not in page
    sections = Page(page).sections
    assert set(CHAPTERS) <= set(sections)
    assert "RuntimeError: the series is gone" in sections["report.failures"]
    assert "Digits by rows" in sections["01_dropout"]


def test_a_report_with_a_technique_that_diverges_is_whole_and_says_so(trained):
    """Where every run of a technique ends early, every chapter stands, and the top names the runs and what they count as."""
    for (arm, _, _), path in trained.files().items():
        if "recurrent" in arm:
            path.unlink(missing_ok=True)
    change_outcomes(
        trained,
        "    import dataclasses, numpy as np\n"
        "    outcome = train_on(run, _task(run.task, cache))\n"
        "    if not any(each.name == 'recurrent_dropout' for each in run.recipe.techniques):\n"
        "        return outcome\n"
        "    ended = lambda curve: np.where(np.arange(len(curve)) < 2, curve, np.nan)\n"
        "    curves = {name: ended(curve) for name, curve in outcome.result.curves.items()}\n"
        "    words = 'training loss nan in epoch 3'\n"
        "    return dataclasses.replace(\n"
        "        outcome, result=dataclasses.replace(outcome.result, curves=curves, diverged=words)\n"
        "    )\n",
    )
    finished = trained.report()
    assert (finished.returncode, finished.stderr) == (0, "")
    page = trained.page()
    top = page.split('<section id="99_comparison"')[0]
    assert re.search(r"<strong>\d+ runs diverged</strong>", top)
    assert re.search(r"recurrent dropout 0.3 per step on Sunspots: all \d+ diverged", top)
    assert "This chapter failed." not in page
    assert "training loss nan in epoch 3" in Page(page).sections["report.failures"]


def test_a_report_that_is_too_large_to_share_is_written_and_told(trained):
    """Beyond its budget the page is there all the same, one line says how large it is, and the exit code is 1."""
    before = trained.page()
    trained.edit("lstmstudy/report/build.py", "LIMIT = 8_000_000", "LIMIT = 300_000")
    finished = trained.report()
    assert finished.returncode == 1
    (line,) = finished.stderr.splitlines()
    assert re.fullmatch(r"reports/smoke/report.html has \d\.\d MB, and 0 were promised", line)
    assert trained.page() == before


def test_ctrl_c_is_one_line(monkeypatch, capsys):
    """A build that is interrupted ends with exit code 130 and says that nothing trained is lost."""

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("lstmstudy.build.build", interrupted)
    assert main(["report", "--profile", "smoke"]) == 130
    assert capsys.readouterr() == (
        "",
        "stopped: everything trained so far is stored, and the same command goes on from there\n",
    )


def replaced(path, old, new):
    """Return a change that replaces a text in a file."""
    return lambda checkout: checkout.edit(path, old, new)


def removed(path):
    """Return a change that removes a file."""
    return lambda checkout: (checkout.root / path).unlink()


def in_the_way(path):
    """Return a change that puts a file where a folder is needed, which not even root can write into."""

    def change(checkout):
        place = checkout.root / path
        if place.is_dir():
            shutil.rmtree(place)
        place.parent.mkdir(exist_ok=True)
        place.touch()

    return change


@pytest.mark.parametrize(
    ("change", "words", "expected"),
    [
        (None, ["--profile", "smokes"], "params/smokes.yaml: unknown profile `smokes`."),
        (None, ["--only", "01_dropouts"], "ONLY=01_dropouts"),
        (
            replaced("params/smoke.yaml", "epochs: 6", "epoch: 6"),
            [],
            "params/smoke.yaml: unknown key `training.epoch`",
        ),
        (replaced("params/smoke.yaml", "width: 8", "width: 0"), [], "params/smoke.yaml: network.width: "),
        (
            replaced("params/smoke.yaml", "  - dropout ", "  - dropuot "),
            [],
            "params/smoke.yaml: techniques: unknown technique",
        ),
        (
            replaced("params/smoke.yaml", "  - sunspots ", "  - sunspot "),
            [],
            "params/smoke.yaml: tasks: unknown task",
        ),
        (
            removed("params/techniques/dropout.yaml"),
            [],
            "params/techniques/dropout.yaml: the file is missing.",
        ),
        (removed("notebooks/01_dropout.ipynb"), [], "notebooks/01_dropout.ipynb: the file is missing"),
        (in_the_way("reports"), [], "reports/store/ cannot be written to: "),
        (in_the_way("reports/store"), [], "reports/store/ cannot be written to: "),
        (in_the_way("reports/smoke"), [], "reports/smoke/ cannot be written to: "),
    ],
)
def test_bad_input_is_one_line_before_any_training(checkout, change, words, expected):
    """Whatever is wrong is said in one line with file and key, the exit code is 2, and nothing is trained."""
    if change:
        change(checkout)
    finished = checkout.report(*words)
    assert finished.returncode == 2
    (line,) = finished.stderr.splitlines()
    assert line.startswith(expected) or line.endswith(expected)
    assert "Received: " in line
    assert "Traceback" not in finished.stderr
    assert finished.stdout == ""
    assert checkout.outcomes() == {}


@pytest.mark.parametrize(
    ("change", "words", "expected"),
    [
        (None, ["--profile", "smokes"], "params/smokes.yaml: unknown profile `smokes`."),
        (in_the_way("reports"), ["--profile", "smoke"], "reports/store/ cannot be written to: "),
    ],
)
def test_bad_input_to_the_plan_is_one_line_too(checkout, change, words, expected):
    """Asking what would be trained says what is wrong just as training it does."""
    if change:
        change(checkout)
    finished = checkout.study("plan", *words)
    assert finished.returncode == 2
    (line,) = finished.stderr.splitlines()
    assert line.startswith(expected)
    assert finished.stdout == ""


def test_the_plan_counts_runs_per_notebook_and_in_all(trained):
    """Each notebook's arms and runs, those that are missing, and the minutes to expect stand in a table."""
    trained.files()["dropout 0.3 per step", "digits_rows", 1].unlink()
    finished = trained.study("plan", "--profile", "smoke")
    assert (finished.returncode, finished.stderr) == (0, "")
    head, *rows, total = finished.stdout.splitlines()
    assert head.split() == ["notebook", "arms", "runs", "missing"]
    assert [tuple(row.split()) for row in rows] == [
        ("00_overfitting", "1", "4", "0"),
        ("01_dropout", "5", "24", "1"),
        ("02_recurrent_variational_dropout", "7", "32", "0"),
        ("05_early_stopping", "3", "4", "0"),
        ("98_methods", "1", "4", "0"),
        ("99_comparison", "11", "32", "0"),
    ]
    assert re.fullmatch(
        r"52 distinct runs, 51 stored, 1 missing: about (\d+) s of training on \d+ cores, 0 s of it for what is "
        r"compared on every task and \1 s for what is described",
        total,
    )


def test_a_word_that_is_no_verb_is_refused(checkout):
    """An unknown verb ends with exit code 2 and the verbs that there are."""
    finished = checkout.study("reprot")
    assert finished.returncode == 2
    assert "report" in finished.stderr
    assert "Traceback" not in finished.stderr


def notebook_of(name):
    """Return a notebook of this checkout."""
    return nbformat.read(paths.NOTEBOOKS / f"{name}.ipynb", as_version=4)


@pytest.mark.parametrize(
    ("name", "folder"),
    [("00_overfitting", "."), ("99_comparison", "elsewhere")],
)
def test_papermill_by_itself_trains_nothing_that_is_stored(trained, name, folder):
    """From the root and from another folder, a notebook runs to its end, and nothing is trained."""
    before = trained.outcomes()
    place = trained.root / folder
    place.mkdir(exist_ok=True)
    source = trained.root / "notebooks" / f"{name}.ipynb"
    target = trained.root / "out.ipynb"
    finished = trained.run("-m", "papermill", str(source), str(target), "-p", "profile", "smoke", cwd=place)
    assert finished.returncode == 0, finished.stderr
    outputs = [output for cell in nbformat.read(target, 4).cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error"]
    assert [output for output in outputs if output.get("metadata", {}).get("lstmstudy", {}).get("finding")]
    assert trained.outcomes() == before


ARM = """\
from lstmstudy import Dropout, open_study, say

study = open_study(profile)
arm = study.arm(Dropout(0.4))
before = set(study.store.files())
"""
SAYS = """\
counts = [len(set(study.store.files()) - before)]
study.ablate(arm)
counts.append(len(set(study.store.files()) - before))
print(counts, ablation.effect(arm).arm, len(ablation.effect(arm).log_ratios))
"""


def test_an_arm_that_a_reader_adds_is_trained_once(trained):
    """In a kernel a new arm trains its 2 x 2 runs behind a progress bar, and asking again trains nothing."""
    before = trained.outcomes()
    cells = [
        nbformat.v4.new_code_cell("profile = 'default'", metadata={"tags": ["parameters"]}),
        *(nbformat.v4.new_code_cell(source) for source in (ARM, "ablation = study.ablate(arm)", SAYS)),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=notebook_of("00_overfitting").metadata)
    source, target = trained.root / "notebooks" / "mine.ipynb", trained.root / "out.ipynb"
    nbformat.write(notebook, source)
    finished = trained.run("-m", "papermill", str(source), str(target), "-p", "profile", "smoke")
    assert finished.returncode == 0, finished.stderr
    *_, training, saying = nbformat.read(target, 4).cells
    bars = [
        output
        for output in training.outputs
        if "application/vnd.jupyter.widget-view+json" in output.get("data", {})
    ]
    assert len(bars) == 1
    assert [output.text for output in saying.outputs] == ["[4, 4] dropout 0.4 per step 4\n"]
    after = trained.outcomes()
    assert before.items() <= after.items()
    assert len(after) == len(before) + 4
    assert "mine" not in trained.missing()
