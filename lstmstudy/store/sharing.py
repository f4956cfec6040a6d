"""Runs that travel: one file with the outcomes of a study, and back into a store."""

from __future__ import annotations

import re
import sys
import zipfile
from typing import TYPE_CHECKING

from lstmstudy import paths
from lstmstudy.parsing.strict_yaml import ParamsError, shown
from lstmstudy.parsing.untrusted import open_plain
from lstmstudy.plan import make_plan
from lstmstudy.store.atomic import write_whole
from lstmstudy.store.outcomes import RunStore, is_whole

if TYPE_CHECKING:
    from pathlib import Path

_NAME = re.compile(r"[0-9a-f]{64}-[0-9a-f]{64}\.npz")  # no other name is ever written
_LARGEST = 1 << 28  # bytes of one outcome
_MOST = 1_000_000  # outcomes of one file
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same study gives the same bytes, whenever it is packed


def export_runs(profile: str, out: Path, *, store: Path = paths.STORE, folder: Path = paths.PARAMS) -> int:
    """Write all stored outcomes of a profile into one zip archive, and return the exit code.

    Each has its checksum in its name. Stores merge by copying too; this takes what one study needs.

    Args:
        profile: Name of the profile.
        out: The archive; it is there whole or not at all.
        store: Where outcomes lie.
        folder: Where parameters lie.

    Raises:
        ParamsError: If the profile is wrong, nothing is stored, or the archive cannot be written.
    """
    plan = make_plan(profile, store=store, folder=folder)
    found = RunStore(store).check(plan.all_runs)
    if not found:
        raise ParamsError(
            f"No run of the profile {profile} is stored. Expected some: `make report PROFILE={profile}` trains them. "
            f"Received: runs=0 of {len(plan.all_runs)}"
        )
    draft = out.with_name(f".{out.name}.tmp")
    try:
        with zipfile.ZipFile(draft, "w") as archive:  # outcomes are compressed already
            for path in sorted(found.values()):
                archive.writestr(zipfile.ZipInfo(path.name, _EPOCH), path.read_bytes())
        draft.replace(out)
    except OSError as error:
        raise ParamsError(
            f"{out.name}: {error.strerror}. Expected a place for the archive that can be written. Received: FILE={shown(str(out))}"
        ) from None
    finally:
        draft.unlink(missing_ok=True)
    print(f"{out.name}: {len(found)} of {len(plan.all_runs)} runs of the profile {profile}")
    return 0


def import_runs(archive: Path, *, store: Path = paths.STORE) -> int:
    """Take the outcomes of an archive into a store, and return the exit code: 1 if any of them is refused.

    What is in the store already stays. An entry whose name is not that of an outcome, or whose bytes are not those
    that its name promises, is refused and named; nothing is written anywhere else, and nothing is executed.

    Args:
        archive: What `export_runs` wrote.
        store: Where outcomes lie.

    Raises:
        ParamsError: If the file is no such archive.
    """
    taken, known, refused = 0, 0, 0
    try:
        with open_plain(archive) as file, zipfile.ZipFile(file) as source:
            entries = source.infolist()
            if len(entries) > _MOST:
                raise ParamsError(
                    f"{archive.name}: the archive is too long. Expected at most {_MOST} runs. Received: entries={len(entries)}"
                )
            store.mkdir(parents=True, exist_ok=True)
            there = RunStore(store).check(entry.filename.partition("-")[0] for entry in entries)
            for entry in entries:
                if (why := _wrong(entry)) or (data := _read(source, entry)) is None:
                    print(f"refused: {shown(entry.filename)}: {why or 'damaged'}", file=sys.stderr)
                    refused += 1
                elif entry.filename.partition("-")[0] in there:
                    known += 1
                else:
                    write_whole(store / entry.filename, data)
                    taken += 1
    except (OSError, zipfile.BadZipFile, NotImplementedError) as error:  # the last: a later version of zip
        raise ParamsError(
            f"{archive.name}: this is no archive of runs ({error}). Expected what `make export FILE=...` wrote. "
            f"Received: FILE={shown(str(archive))}"
        ) from None
    print(f"{archive.name}: {taken} runs taken, {known} were there, {refused} refused")
    return 1 if refused else 0


def _wrong(entry: zipfile.ZipInfo) -> str:
    """Return why an entry is none of ours by its name and size, or nothing."""
    if not _NAME.fullmatch(entry.filename):
        return "not the name of a run"
    return "too large" if entry.file_size > _LARGEST else ""


def _read(source: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes | None:
    """Return the bytes of an entry if they are those that its name promises."""
    try:
        with source.open(entry) as file:
            data = file.read(entry.file_size + 1)
    except Exception:  # noqa: BLE001 - a damaged archive can fail anywhere in its reader
        return None
    return data if is_whole(entry.filename, data) else None
