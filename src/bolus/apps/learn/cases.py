"""`bolus learn data`: folders of cases, simulated or brought in, and their splits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from bolus.apps.learn.choices import fractions, require_folder, task_of
from bolus.apps.learn.options import Cases, Out, Quiet, TaskName
from bolus.apps.terminal import Terminal
from bolus.core.errors import BadInput, BadRecipe

LEFT_OUT: Final = "left_out.json"
app = typer.Typer(help="Make folders of cases.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def simulate(  # noqa: PLR0913, PLR0917 - one argument an option of the command
    name: TaskName,
    out: Out,
    patients: Annotated[int, typer.Option("--patients", min=1, help="How many.")] = 100,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same patients.")] = 0,
    setting: Annotated[str, typer.Option("--setting", help="Of the simulator: A, or B for a shift.")] = "A",
    size: Annotated[int, typer.Option("--size", min=64, help="Pixels along a side.")] = 384,
    reference: Annotated[
        str, typer.Option("--reference", help="Maps to learn: the truth, or those that bolus run makes.")
    ] = "truth",
    vessels: Annotated[
        str, typer.Option("--vessels", help="Arteries of X-ray runs that are injected in turn; else drawn.")
    ] = "",
    processes: Annotated[int, typer.Option("--processes", min=0, help="At the same time; 0: all.")] = 0,
    quiet: Quiet = False,
) -> None:
    """Simulate patients with known truth; a call that was stopped goes on where it was."""
    from bolus.learn import making
    from bolus.learn.infer import usable_processors

    terminal = Terminal(quiet=quiet)
    with terminal.reporting(), terminal.progress() as progress:
        task = task_of(name)
        if task.simulate is None:
            raise BadRecipe(f"there is no simulator of {name}", remedy="See `bolus learn data --help`.")
        if reference not in task.references:
            raise BadRecipe("unknown reference", wanted=", ".join(task.references), found=reference)
        if vessels and name != "ica":
            raise BadRecipe("only cases of ica differ in the artery injected", remedy="Leave --vessels out.")
        source = {"task": name, "generator": "simulated", "seed": seed, "setting": setting, "size": size}
        others = {"reference": "" if reference == "truth" else reference, "vessels": vessels}
        inject = tuple(vessels.split(","))
        made = making.simulate(
            out,
            making.orders(
                patients, seed=seed, setting=setting, size=size, reference=reference, vessels=inject
            ),
            task.simulate,
            source=source | {name: value for name, value in others.items() if value},
            processes=processes or usable_processors(),
            progress=progress,
        )
    terminal.say(f"cases: {len(made.entries)} of {len(made.patients)} patients, {out}")


@app.command()
def manifest(
    name: TaskName,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder a patient: runs and masks.")],
    out: Out,
    site: Annotated[str, typer.Option("--site", help="Where they come from, in a word.")] = "",
    quiet: Quiet = False,
) -> None:
    """Make cases of your own DICOM runs with masks beside them."""
    from bolus.learn import angiograms, making

    terminal = Terminal(quiet=quiet)
    with terminal.reporting(), terminal.progress() as progress:
        require_folder(folder)
        source = {"task": task_of(name).name, "generator": "DICOM runs with masks", "site": site}
        cases = angiograms.from_folder(folder, site=site)
        made = making.bring_in(out, cases, source=source, progress=progress)
    terminal.say(f"cases: {len(made.entries)} of {len(made.patients)} patients, {out}")


@app.command(name="import-dias")
def import_dias(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="With training, validation and test.")],
    out: Out,
    quiet: Quiet = False,
) -> None:
    """Make cases of the task `arteries` of the public data set DIAS, with its authors' split."""
    from bolus.learn import dias, making, splits

    terminal = Terminal(quiet=quiet)
    with terminal.reporting(), terminal.progress() as progress:
        require_folder(folder)
        source = {"task": "arteries", "generator": "DIAS", "doi": "10.1016/j.media.2024.103247"}
        made = making.bring_in(out, dias.read_dias(folder), source=source, progress=progress)
        splits.write_split(dias.authors_split(folder), out / "split.json")
    terminal.say(f"cases: {len(made.entries)}, {out}")


@app.command()
def split(
    cases: Cases,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the JSON files.")],
    folds: Annotated[int, typer.Option("--folds", min=0, help="Fold by fold; 0: one split in parts.")] = 0,
    parts: Annotated[str, typer.Option("--parts", help="Of training, validation and test.")] = "0.5,0.3,0.2",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same split.")] = 0,
) -> None:
    """Deal patients out to training, validation and test; give the files to `bolus learn train --split`."""
    from bolus.learn import splits
    from bolus.learn.cases import read_manifest

    terminal = Terminal()
    with terminal.reporting():
        chosen = read_manifest(cases)
        if folds:
            made = splits.folds(chosen.patients, folds, seed=seed)
        else:
            made = (splits.split_patients(chosen.patients, fractions(parts), seed=seed),)
        for i, one in enumerate(made):
            splits.check_leakage(one, chosen)
            path = out / (f"fold-{i}.json" if folds else "split.json")
            splits.write_split(one, path)
            terminal.say(f"{path}: {', '.join(f'{len(who)} {part}' for part, who in one.parts.items())}")


@app.command(name="import-maps")
def import_maps(  # noqa: PLR0913, PLR0917 - one argument an option of the command
    name: Annotated[str, typer.Argument(metavar="TASK", help="ctp-unet or dsc-gan.")],
    place: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Of the data set; a CSV file for manifest.")
    ],
    out: Out,
    layout: Annotated[
        str, typer.Option("--from", help="unitobrain, isles2018, isles2024, or manifest: a list of your own.")
    ] = "manifest",
    reference: Annotated[
        str, typer.Option("--reference", help="Maps to learn: given, or those that bolus run makes.")
    ] = "given",
    method: Annotated[
        str, typer.Option("--method", help="Of bolus' own maps; unset: box (CT), osvd (MR).")
    ] = "",
    dt: Annotated[
        float | None,
        typer.Option(
            "--dt", help="Frame interval in place of what files say [s]; a dt of the list comes before it."
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress.")] = False,
) -> None:
    """Make cases of perfusion scans with maps: public data sets, or your own with a list.

    Scans that cannot be used are left out; `left_out.json` beside the cases says which, and why.
    """
    from bolus.learn import files, making, maps, published, scans

    terminal = Terminal(quiet=quiet)
    with terminal.reporting(), terminal.progress() as progress:
        plans = {"ctp-unet": maps.CTP, "dsc-gan": maps.DSC}
        if name not in plans:
            raise BadRecipe("no task with maps", wanted=", ".join(plans), found=name)
        if layout not in published.LAYOUTS:
            raise BadRecipe("unknown layout", wanted=", ".join(published.LAYOUTS), found=layout)
        if not place.exists():
            raise BadInput("there is no such folder or file", where=place)
        source = {"task": name, "generator": layout, "reference": reference, "method": method}
        found = [replace(scan, dt_s=scan.dt_s or dt) for scan in published.LAYOUTS[layout](place)]
        left_out: dict[str, str] = {}
        cases = scans.read_cases(found, plans[name], reference, method, left_out=left_out)
        made = making.bring_in(out, cases, source=source, progress=progress)
        if left_out:
            files.write_json(out / LEFT_OUT, left_out)
    terminal.say(f"cases: {len(made.entries)} of {len(made.patients)} patients, {out}")
    if left_out:
        terminal.say(f"left out: {len(left_out)} scans that cannot be used, {out / LEFT_OUT}")
