"""Nothing that is read runs code, keeps anybody waiting, fills the memory, or leads out of its folder."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import tracemalloc
import zipfile

import nbformat
import numpy as np
import pytest
from engine import WAVES, made_outcome, made_result, waves
from hypothesis import example, given
from hypothesis import strategies as st
from papermill.parameterize import parameterize_notebook
from planning import parameters, plan_of

from lstmstudy import paths
from lstmstudy.__main__ import main
from lstmstudy.build import _notebooks
from lstmstudy.data import open_task
from lstmstudy.data.cache import cache_path, cached_task, write_task
from lstmstudy.data.own import OwnTask
from lstmstudy.data.own.task import own_name, prepare_own
from lstmstudy.execution import Execution
from lstmstudy.params.profile import load_profile
from lstmstudy.parsing import untrusted
from lstmstudy.parsing.strict_yaml import ParamsError, read_mapping
from lstmstudy.parsing.untrusted import open_plain, read_arrays
from lstmstudy.provenance import FILE as PROVENANCE
from lstmstudy.report.difference import write_difference
from lstmstudy.store.atomic import write_whole
from lstmstudy.store.outcomes import RunStore, file_name
from lstmstudy.store.sharing import import_runs
from lstmstudy.study.study import open_study
from lstmstudy.verdicts.document import Findings
from lstmstudy.verdicts.kept import FINDINGS

pytestmark = pytest.mark.timeout(60)  # what waits for a pipe waits for ever

IDENTITY = "1f" * 32
HOSTILE = [
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    "a\0b",
    "a\nb",
    "-x",
    "--help",
    "$(touch pwned)",
    "`touch pwned`",
    '"; touch pwned; "',
    "'; touch pwned; '",
    "$(shell touch pwned)",
    "$$(touch pwned)",
    "x & touch pwned",
    "x | touch pwned",
    "${IFS}",
    "*",
    "#x",
    "US$",
    "a=b",
    "\N{RIGHT-TO-LEFT OVERRIDE}x",
]


class Trap:
    """An object that creates a file when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (os.mkdir, (str(self.mark),))


def pickled(mark):
    """Return an array with a trap."""
    return np.array([Trap(mark)], dtype=object)


def archive(compression=zipfile.ZIP_STORED, **members):
    """Return an archive with these bytes as members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return file.getvalue()


def header(shape, descr="<f8"):
    """Return the beginning of a file of numpy with a shape, without any number."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue()


def tree(folder):
    """Return everything in a folder, links not followed."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# Archives of arrays.


@pytest.mark.parametrize("where", ["store", "cache"])
def test_pickled_objects_are_never_loaded(where, tmp_path, capsys):
    """In a stored run and in a prepared task they count as damage: the run is missing, the task is made again."""
    mark = tmp_path / "executed"
    file = io.BytesIO()
    np.savez(
        file, **dict.fromkeys(("record", "result", "epochs", "meta", "checksum", "train_x"), pickled(mark))
    )
    if where == "store":
        store = RunStore(tmp_path / "store")
        store.folder.mkdir()
        (store.folder / file_name(IDENTITY, file.getvalue())).write_bytes(file.getvalue())
        assert store.record(IDENTITY) is None
        assert store.load(IDENTITY) is None
        assert tree(store.folder) == [file_name(IDENTITY, file.getvalue()).replace(".npz", ".damaged")]
    else:
        cache_path(tmp_path, "waves").write_bytes(file.getvalue())
        made = cached_task(tmp_path, WAVES, lambda _: waves())
        assert made.content == waves().content
        cache_path(tmp_path, "waves").write_bytes(file.getvalue())
        with pytest.raises(ValueError, match="Expected one of"):
            open_task("waves", tmp_path)
    assert "is damaged" in capsys.readouterr().err
    assert not mark.exists()
    file.seek(0)
    np.load(file, allow_pickle=True)["record"]  # the trap is one
    assert mark.exists()


@pytest.mark.parametrize(
    ("shape", "descr"),
    [
        ((1 << 40,), "<f8"),
        ((1 << 62, 1 << 62), "<f8"),
        ((-1,), "<f8"),
        ((4,), "|O"),
        ((4,), "<U1000000000"),
        ((3,), "<f8"),
    ],
)
def test_a_shape_that_promises_more_than_there_is_takes_no_memory(shape, descr):
    """Terabytes, negative sizes and objects in a header are refused before anything is reserved for them."""
    data = archive(**{"x.npy": header(shape, descr) + b"\0" * 16})
    tracemalloc.start()
    with pytest.raises(ValueError, match="no archive of plain arrays: ValueError"):
        read_arrays(io.BytesIO(data))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 22


def test_an_archive_that_unpacks_to_very_much_is_refused_packed(monkeypatch, tmp_path):
    """Sixty-four megabytes of zeros in a few kilobytes take no more memory than these, in a store as well."""
    monkeypatch.setattr(untrusted, "_ROOMY", 1 << 20)
    zeros = header((8 << 20,)) + b"\0" * (64 << 20)
    data = archive(zipfile.ZIP_DEFLATED, **{"weights/x.npy": zeros, "record.npy": zeros})
    del zeros
    store = RunStore(tmp_path)
    (tmp_path / file_name(IDENTITY, data)).write_bytes(data)
    tracemalloc.start()
    assert store.record(IDENTITY) is None
    assert store.load(IDENTITY) is None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 23
    with pytest.raises(ValueError, match="20 times as many bytes"):
        read_arrays(io.BytesIO(data))


def test_an_archive_that_understates_its_size_is_refused(monkeypatch):
    """A member whose entry promises a few bytes is not unpacked beyond them."""
    monkeypatch.setattr(untrusted, "_ROOMY", 1 << 20)
    data = archive(zipfile.ZIP_DEFLATED, **{"x.npy": header((8 << 20,)) + b"\0" * (64 << 20)})
    size = (64 << 20) + len(header((8 << 20,)))
    lying = data.replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    assert lying != data
    tracemalloc.start()
    with pytest.raises(ValueError, match="no archive of plain arrays"):
        read_arrays(io.BytesIO(lying))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 23


def test_names_in_an_archive_lead_nowhere(tmp_path):
    """Members called like files elsewhere are names of arrays and nothing more; nothing is unpacked to a disk."""
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    names = ["../../escaped", "/tmp/escaped", "..\\escaped", "weights/../../escaped"]  # noqa: S108
    weights = {name: np.ones(1) for name in names}
    result = made_result([3.0, 1.0])
    store = RunStore(inner)
    store.save(made_outcome(IDENTITY, type(result)(**{**vars(result), "weights": weights})))
    before = tree(tmp_path)
    assert list(RunStore(inner).load(IDENTITY).result.weights) == names
    assert tree(tmp_path) == before


# What lies where a file is expected.


def special(kind, path, target):
    """Put something where a file is expected."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        (path / "in it").mkdir(parents=True)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "dangling link":
        path.symlink_to(target)


KINDS = ["pipe", "folder", "device", "dangling link"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_stops_nobody(kind, tmp_path, capsys):
    """As a run, a prepared task, a draft, a profile, a table, findings or provenance it is refused at once, and kept out."""
    elsewhere = tmp_path / "elsewhere"
    store = RunStore(tmp_path / "store")
    store.folder.mkdir()
    special(kind, store.folder / file_name(IDENTITY, b""), elsewhere)
    special(kind, store.folder / "old.tmp", elsewhere)
    os.utime(store.folder / "old.tmp", (0, 0), follow_symlinks=False)
    assert store.record(IDENTITY) is None
    assert store.load(IDENTITY) is None
    store.sweep()
    assert not (store.folder / file_name(IDENTITY, b"")).exists()
    store.save(made_outcome(IDENTITY, made_result([3.0, 1.0])))
    assert store.load(IDENTITY) is not None

    special(kind, cache_path(tmp_path, "waves"), elsewhere)
    if kind != "folder":  # one may be no file, and is in nobody's way but its own
        assert cached_task(tmp_path, WAVES, lambda _: waves()).content == waves().content
    special(kind, tmp_path / "mine.yaml", elsewhere)
    with pytest.raises(ParamsError, match=r"^mine\.yaml: "):
        read_mapping(tmp_path / "mine.yaml")
    special(kind, tmp_path / "data.csv", elsewhere)
    own = OwnTask.model_validate({"kind": "forecasting", "csv": "data.csv", "target": "x", "window": 1})
    with pytest.raises(ParamsError, match=r"^data\.csv: "):
        prepare_own(own, tmp_path, tmp_path)
    special(kind, tmp_path / FINDINGS, elsewhere)
    special(kind, tmp_path / PROVENANCE, elsewhere)
    capsys.readouterr()
    assert main(["diff", str(tmp_path), str(tmp_path), "--out", str(tmp_path / "diff.html")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not elsewhere.exists()


def test_a_link_among_the_runs_is_read_and_never_written_through(tmp_path, capsys):
    """A store may be a folder of links; where what a link leads to is damaged, the link is set aside and that stays."""
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    store = RunStore(tmp_path / "store")
    store.folder.mkdir()
    (store.folder / file_name(IDENTITY, b"other")).symlink_to(outside)
    assert store.load(IDENTITY) is None
    assert "is damaged" in capsys.readouterr().err
    path = store.save(made_outcome(IDENTITY, made_result([3.0, 1.0])))
    assert not path.is_symlink()
    assert outside.read_bytes() == b"precious"
    moved = path.rename(tmp_path / "moved.npz")
    path.symlink_to(moved)
    assert RunStore(store.folder).load(IDENTITY) is not None


def test_links_in_a_folder_of_reports_are_replaced_and_not_followed(tmp_path):
    """What is written where a link lies takes its place: pages, drafts, stamps and logs stay in their folder."""
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    folder = tmp_path / "report"
    folder.mkdir()
    names = ["page.html", f".page.html.{os.getpid()}.tmp", "01_x.ipynb", "01_x.log", "01_x.draft.ipynb"]
    for name in [*names, "01_x.stamp.json"]:
        (folder / name).symlink_to(outside)
    write_whole(folder / "page.html", b"new")
    source = tmp_path / "01_x.ipynb"
    nbformat.write(nbformat.v4.new_notebook(), source)
    program = f"from lstmstudy.execution import _execute; from pathlib import Path; _execute(Path({str(source)!r}), Path({str(folder / '01_x.ipynb')!r}), {{}})"
    done = subprocess.run(
        [os.sys.executable, "-c", program], cwd=paths.ROOT, check=False, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    Execution(source, folder / "01_x.ipynb", {}, {}).stamp()
    assert outside.read_bytes() == b"precious"
    assert (folder / "page.html").read_bytes() == b"new"
    assert not any(path.is_symlink() for path in folder.iterdir())


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_opened_without_waiting(kind, tmp_path):
    """A pipe without a writer and a device without an end are an OSError, a plain file is read."""
    special(kind, tmp_path / "x", tmp_path / "absent")
    with pytest.raises(OSError, match=r"."):
        open_plain(tmp_path / "x")
    (tmp_path / "plain").write_bytes(b"abc")
    with open_plain(tmp_path / "plain") as file:
        assert file.read() == b"abc"


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_an_archive_of_runs_from_elsewhere_brings_runs_or_nothing(method, tmp_path, capsys):
    """Damaged, lying, foreign and badly named entries are refused by name; the others are taken, and nothing else is written."""
    data = RunStore(tmp_path / "made").save(made_outcome(IDENTITY, made_result([3.0, 1.0]))).read_bytes()
    good, lying = file_name(IDENTITY, data), file_name("2e" * 32, data)
    bad = {
        file_name("../../evil", data): data,
        f"../../{good}": data,
        "/x.npz": data,
        "x.npz": b"x",
        f"{good}\n": data,
        "a/": b"",
    }
    packed = archive(method, **{lying: data, good: data, **bad})
    broken = bytearray(packed)
    start = packed.index(lying.encode()) + len(lying)
    broken[start + 20 : start + 60] = b"\xff" * 40
    store = tmp_path / "in" / "store"
    (tmp_path / "runs.zip").write_bytes(broken)
    assert import_runs(tmp_path / "runs.zip", store=store) == 1
    assert tree(tmp_path / "in") == ["store", f"store/{good}"]
    said = capsys.readouterr()
    assert said.out == f"runs.zip: 1 runs taken, 0 were there, {1 + len(bad)} refused\n"
    assert len(said.err.splitlines()) == 1 + len(bad)
    assert RunStore(store).load(IDENTITY) is not None
    for kind in KINDS:
        special(kind, tmp_path / f"{kind}.zip", tmp_path / "absent")
        with pytest.raises(ParamsError, match="no archive of runs"):
            import_runs(tmp_path / f"{kind}.zip", store=store)


# Names.


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_one_line_and_creates_nothing(name, tmp_path, capsys, monkeypatch):
    """As a profile, a chapter, an arm to tune, a new profile, a notebook's profile: refused before anything is read or written."""
    monkeypatch.chdir(tmp_path)
    for verb in ("report", "plan", "tune", "verify", "export"):
        words = [verb, f"--profile={name}", *(["--", "runs.zip"] if verb == "export" else [])]
        assert main(words) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.isprintable()
        assert "Received: " in line
    (tmp_path / "data.csv").write_text("x\n1\n", encoding="utf-8")
    before = tree(tmp_path)
    assert main(["new", f"--name={name}", "--", "data.csv"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.isprintable()
    with pytest.raises(ParamsError):
        open_study(name, store=tmp_path / "store")
    folder = parameters(tmp_path / "params", MINE)
    with pytest.raises(ParamsError):
        load_profile(name, folder)
    with pytest.raises(ParamsError) as caught:
        _notebooks(plan_of(folder), name)
    assert str(caught.value).isprintable()
    assert [each for each in tree(tmp_path) if not each.startswith("params")] == before


MINE = """\
tasks: [sunspots]
techniques: [dropout]
units: 1
network: {layers: 1, width: 2}
training: {epochs: 1, batch_size: 8, learning_rate: 0.003}
"""


@pytest.mark.parametrize("name", [each for each in HOSTILE if "\0" not in each])
def test_a_table_of_any_name_becomes_a_task_whose_name_is_plain(name, tmp_path):
    """Whatever its file is called and wherever it lies, nothing of it but letters, digits and underscores names files."""
    own = OwnTask.model_validate({"kind": "forecasting", "csv": f"{name}.csv", "target": "x", "window": 1})
    assert re.fullmatch(r"own_[a-z0-9_]{1,40}_[0-9a-f]{8}", own_name(own, tmp_path))


def test_a_task_is_no_file_outside_of_its_folder(tmp_path):
    """A name that leads to a whole task elsewhere is unknown."""
    cache = tmp_path / "cache"
    cache.mkdir()
    write_task(cache_path(tmp_path, "waves"), waves())
    write_task(cache_path(cache, "own_waves"), waves())
    assert open_task("own_waves", cache).content == waves().content
    for name in (
        "../waves",
        f"{tmp_path}/waves",
        "../../etc/passwd",
        "own_waves\0",
        "own_waves\n",
        "",
        "a" * 5000,
    ):
        with pytest.raises(ValueError, match="Expected one of"):
            open_task(name, cache)


# make.

ECHO = """\
#!/bin/sh
case "$1" in
--version) echo "Python 3.12.1" ;;
-c) ;;
*) printf "%s\\0" "$@" >said.txt ;;
esac
"""


@pytest.fixture
def checkout(tmp_path):
    """Return a copy of what make reads, with a python that notes its arguments."""
    root = tmp_path / "check out"
    root.mkdir()
    for name in ("Makefile", "requirements.lock"):
        (root / name).write_bytes((paths.ROOT / name).read_bytes())
    (root / ".ci").mkdir()
    (root / ".ci" / "environment").write_bytes((paths.ROOT / ".ci" / "environment").read_bytes())
    (root / "py thon").write_text(ECHO, encoding="utf-8")
    (root / "py thon").chmod(0o755)
    return root


def make(root, *words, **environment):
    """Run make in a copy, and return the arguments that python got."""
    known = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    done = subprocess.run(
        ["make", *words], cwd=root, env={**known, **environment}, capture_output=True, text=True, check=False
    )
    said = root / "said.txt"
    return done, said.read_text(encoding="utf-8").split("\0")[:-1] if said.exists() else None


@pytest.mark.parametrize("text", [each for each in HOSTILE if "\0" not in each and "\n" not in each])
def test_make_hands_over_every_text_as_it_is(text, checkout):
    """On its command line or in the environment: neither make nor a shell reads a word of it."""
    python = f"PYTHON={checkout / 'py thon'}"
    for words, expected in (
        (("report", f"PROFILE={text}", f"ONLY={text}"), ["report", f"--profile={text}", f"--only={text}"]),
        (("plan", f"PROFILE={text}"), ["plan", f"--profile={text}"]),
        (
            ("new", f"DATA={text}", f"NAME={text}", f"TARGET={text}", f"LABEL={text}"),
            ["new", f"--name={text}", f"--target={text}", f"--label={text}", "--", text],
        ),
        (("export", f"FILE={text}"), ["export", "--profile=default", "--", text]),
    ):
        done, said = make(checkout, python, *words)
        assert done.returncode == 0, done.stderr
        assert said == ["-m", "lstmstudy", *expected]
    done, said = make(checkout, python, "plan", PROFILE=text)
    assert said == ["-m", "lstmstudy", "plan", f"--profile={text}"]
    for variable in ("PYTHON", "BASE_PYTHON"):
        done, _ = make(checkout, "plan", f"{variable}={text}")
        assert done.returncode != 0
    assert sorted(path.name for path in checkout.iterdir()) == [
        ".ci",
        "Makefile",
        "py thon",
        "requirements.lock",
        "said.txt",
    ]


# Reports that are read back.


def findings(**changes):
    """Return the document of a study that found nothing."""
    nothing = dict.fromkeys(("tasks", "claims", "techniques", "advice", "arms", "problems"), ())
    calibration = {"claims": 0, "sign_flips": None, "sham_alone": None, "sham_family": None}
    content = {
        "profile": "mine",
        "trials": 0,
        "tuned": {},
        "runs": {"planned": 0, "stored": 0, "diverged": 0},
        "calibration": {**calibration, "luck": (), "sham_arms": 0, "shams": (), "power": ()},
        **nothing,
        **changes,
    }
    return Findings.model_validate(content).model_dump_json()


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 200_000,
        b'{"version":' * 100_000,
        b'{"version": 1' + b"0" * 100_000 + b"}",
        b"\xff\xfe\x00",
        b"null",
        b"[]",
        b"",
        b"\x80\x04cposix\nsystem\n",
    ],
    ids=["deep list", "deep mapping", "long number", "no text", "null", "list", "empty", "pickle"],
)
def test_hostile_findings_and_provenance_are_one_line_or_nothing(content, tmp_path, capsys):
    """Whatever lies there as findings is refused in a line; whatever lies there as provenance says nothing."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / FINDINGS).write_text(findings(), encoding="utf-8")
    (tmp_path / "new" / PROVENANCE).write_bytes(content)
    found = write_difference(tmp_path / "old", tmp_path / "new", tmp_path / "diff.html")
    assert found.parameters == ()
    (tmp_path / "new" / FINDINGS).write_bytes(content)
    assert (
        main(["diff", str(tmp_path / "old"), str(tmp_path / "new"), "--out", str(tmp_path / "diff.html")])
        == 2
    )
    (line,) = capsys.readouterr().err.splitlines()
    assert line.isprintable()


def test_what_a_report_says_does_nothing_to_a_terminal(tmp_path, capsys):
    """Escape sequences and line breaks in findings and provenance of somebody else are printed as question marks."""
    evil = "\x1b]0;owned\x07\x1b[2J\nfalse line\r\N{RIGHT-TO-LEFT OVERRIDE}"
    claim = {
        **dict.fromkeys(("id", "words", "chapter", "verdict", "reason", "equal"), evil),
        **dict.fromkeys(("contrasts", "secondary", "robustness", "marks"), ()),
        "judged": False,
        "margin": 0.05,
        "units": 12,
        "p": None,
        "p_adjusted": None,
    }
    for name, claims in (("old", ()), ("new", (claim,))):
        (tmp_path / name).mkdir()
        (tmp_path / name / FINDINGS).write_text(findings(claims=claims), encoding="utf-8")
        (tmp_path / name / PROVENANCE).write_text(json.dumps({evil: evil + name}), encoding="utf-8")
    out = tmp_path / "diff.html"
    assert main(["diff", str(tmp_path / "old"), str(tmp_path / "new"), "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)
    assert "?]0;owned?" in lines[0]
    assert "\x1b" not in out.read_text(encoding="utf-8")


# Parameters of notebooks.


@given(st.text())
@example('"); import os; os.system("touch pwned")  #')
@example("\\")
@example("\n%%bash\ntouch pwned\n")
@example("{{ x }}")
@example("'''\"\"\"")
def test_a_parameter_of_a_notebook_is_one_text(value):
    """What `papermill -p profile ...` puts into a notebook is one assignment, whatever the value is."""
    cell = nbformat.v4.new_code_cell('profile = "default"', metadata={"tags": ["parameters"]})
    made = nbformat.v4.new_notebook(
        cells=[cell],
        metadata={
            "kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"},
            "papermill": {},
        },
    )
    (injected,) = [
        each
        for each in parameterize_notebook(made, {"profile": value}).cells
        if "injected-parameters" in each.metadata.get("tags", [])
    ]
    comment, assignment = injected.source.splitlines()
    assert comment == "# Parameters"
    space = {}
    exec(compile(assignment, "cell", "exec"), {"__builtins__": {}}, space)  # noqa: S102 - the very line that would run
    assert space == {"profile": value}
