import csv
import json
from dataclasses import replace

import pytest
from PIL import Image

from bolus.core.errors import OutputFailed
from bolus.validate import tables, write
from bolus.validate.charts import COLOURS, Look
from bolus.validate.figures import draw_core, draw_coverage, draw_delay, draw_noise
from bolus.validate.rows import Score
from bolus.validate.tables import TABLES, number


@pytest.fixture(scope="module")
def folder(found, tmp_path_factory):
    return write(found, tmp_path_factory.mktemp("out") / "deep" / "validation")


def test_every_file_that_the_document_lists_is_there(folder):
    document = json.loads((folder / "validation.json").read_text(encoding="utf-8"))

    there = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    assert sorted(document["files"]) == there
    assert {"validation.md", "errors.csv", "scores.csv", "figures/noise.png", "figures/coverage.png"} <= set(
        there
    )
    assert (document["kind"], document["schema_version"], document["seed"]) == ("bolus-validation", "1.0", 0)
    assert {"bolus", "numpy"} <= document["versions"].keys()


def test_the_tables_of_numbers_hold_what_the_document_holds(folder, found):
    document = json.loads((folder / "validation.json").read_text(encoding="utf-8"))
    with (folder / "errors.csv").open(encoding="utf-8") as file:
        errors = list(csv.DictReader(file))

    assert len(errors) == len(document["rows"]) == len(found.rows)
    first, row = errors[0], document["rows"][0]
    assert float(first["bias"]) == row["bias"]
    assert first["tissue"] == row["conditions"]["tissue"]
    assert {
        "method",
        "options",
        "experiment",
        "quantity",
        "unit",
        "bias",
        "sd",
        "median",
        "n",
        "n_failed",
    } <= first.keys()
    assert {e["options"] for e in errors} == {"", "cutoff=0.2"}


def test_the_page_shows_every_figure_and_names_every_method(folder, found):
    page = (folder / "validation.md").read_text(encoding="utf-8")

    for path in (folder / "figures").glob("*.png"):
        assert f"](figures/{path.name})" in page
    assert all(f"| {label} |" in page for label in found.labels)
    assert "not patients" in page


def test_an_earlier_validation_is_replaced_and_nothing_else(found, tmp_path):
    few = replace(found, candidates=found.candidates[:1])
    out = write(few, tmp_path / "out")
    write(few, out)

    (out / "notes.txt").write_text("mine")
    with pytest.raises(OutputFailed, match="other files"):
        write(few, out)

    assert (out / "notes.txt").read_text() == "mine"
    assert list(tmp_path.iterdir()) == [out]


def test_figures_are_pages_of_one_width(folder):
    sizes = set()
    for path in (folder / "figures").glob("*.png"):
        with Image.open(path) as image:
            sizes.add(image.size)

    assert {width for width, _ in sizes} == {1600}
    assert all(400 < height < 2000 for _, height in sizes)


def test_coverage_is_drawn_for_methods_that_give_intervals_alone(found):
    without = replace(found, candidates=found.candidates[:2])

    assert draw_coverage(found) is not None
    assert draw_coverage(without) is None
    assert "coverage" not in tables(without)


def test_tables_leave_out_what_was_not_measured(found):
    made = tables(found)

    assert made.keys() == TABLES.keys() - {"osipi", "bezier"}
    assert {row[0] for row in made["noise_delay"].rows} == {"fits", ""}
    assert all(len(row) == len(table.header) for table in made.values() for row in table.rows)


def test_a_method_that_says_nothing_leaves_gaps_not_errors(found):
    silent = replace(
        found,
        rows=tuple(replace(r, bias=float("nan"), sd=float("nan"), n_failed=r.n) for r in found.rows),
        scores=tuple(Score(s.source, s.quantity, s.measure, float("nan"), s.n, s.n) for s in found.scores),
    )

    assert set(tables(silent)["headline"].rows[0][1:]) == {"-"}
    assert all(draw(silent) for draw in (draw_noise, draw_delay, draw_core))
    assert draw_coverage(silent) is None


def test_looks_of_many_methods_differ():
    looks = [Look.of(i) for i in range(3 * len(COLOURS))]

    assert len({(k.colour, k.stroke) for k in looks}) == len(looks)


@pytest.mark.parametrize(
    ("value", "text"),
    [(float("nan"), "-"), (-0.004, "0.00"), (1.5, "+1.50"), (4e6, ">1000"), (-1.5, "-1.50")],
)
def test_numbers_are_written_with_their_sign(value, text):
    assert number(value, signed=True) == text
