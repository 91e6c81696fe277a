import base64
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from bolus.core.finding import Finding, Severity
from bolus.core.lesion import TrialLabel
from bolus.core.units import Modality
from bolus.core.vessel import Vessels
from bolus.export import layout, projections, render
from bolus.export.methods import describe_methods

PNG = b"\x89PNG not really"
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Outline(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data


def read(result) -> tuple[str, Outline]:
    html = render(result, dict.fromkeys(layout.figure_names(result), PNG))
    outline = Outline()
    outline.feed(html)
    assert not outline.open
    return html, outline


def test_the_report_holds_numbers_verdict_and_its_limits(small_result) -> None:
    _, page = read(small_result)

    for wanted in (
        "CTP Head 1.5 s",
        "CAUTION",
        "The head moved by up to 3.4 mm",
        f"{small_result.lesions.volumes_ml['core']:.1f} mL",
        "Tmax > 6 s",
        "criteria met on imaging numbers, not advice",
        "Research use only - not for diagnosis",
        "not a medical device",
        "doi:10.1002/mrm.10522",
        "80 kV",
        "AcquisitionTime",
    ):
        assert wanted in page.text, wanted


def test_the_report_shows_intervals_and_what_they_mean(small_result, sure_result) -> None:
    core = small_result.lesions.volumes_ml["core"]

    for wanted in (
        f"{core:.0f} mL ({0.9 * core:.0f}-{1.2 * core:.0f})",
        "90 % interval",
        "simulated patients",
    ):
        assert wanted in read(sure_result)[1].text
        assert wanted not in read(small_result)[1].text


def test_the_report_is_one_file_that_asks_nobody_for_anything(small_result) -> None:
    html, page = read(small_result)

    sources = [attrs["src"] for tag, attrs in page.tags if tag == "img"]
    assert len(sources) == len(layout.figure_names(small_result))
    assert all(s == "data:image/png;base64," + base64.b64encode(PNG).decode() for s in sources)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "form"}
    assert not re.search(r"https?://|url\(|@import", html)


@pytest.mark.parametrize(
    "evil",
    [
        "<script>alert(1)</script>",
        "\"><img src=x onerror='alert(1)'>",
        "{{ 7*7 }}{% raw %}",
        "name\u202egnp.exe\u2066\x00\x1b[31m",
        "]]><!--",
    ],
)
def test_text_from_files_stays_text(make_result, small_result, evil) -> None:
    finding = Finding("CLOCK", Severity.WARN, evil, None)
    vessels = Vessels(replace(small_result.vessels.aif, origin=evil))
    lesions = replace(small_result.lesions, labels=(TrialLabel(evil, True, evil),), methods=(evil,))
    acquisition = replace(
        small_result.acquisition, description=evil, manufacturer=evil, model=evil, clock=evil, source=evil
    )

    html, page = read(
        make_result(
            findings=(finding,), vessels=vessels, lesions=lesions, acquisition=acquisition, steps=(evil,),
            versions={evil: evil}, timings_s={evil: 1.0},
        )
    )  # fmt: skip

    assert "<script" not in html
    assert not [a for _, attrs in page.tags for a in attrs if a.startswith("on")]
    assert sum(tag == "img" for tag, _ in page.tags) == len(layout.figure_names(small_result))
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00\x1b]", html)
    assert "49" not in page.text.splitlines()[0]


def test_withheld_volumes_are_explained_and_absent(make_result) -> None:
    failed = Finding("TRUNCATED", Severity.FAIL, "The bolus is cut off: scan longer.", 0.8)

    html, page = read(make_result(lesions=None, findings=(failed,)))

    assert "FAIL" in page.text
    assert "The bolus is cut off: scan longer." in page.text
    assert "Volumes and labels are withheld" in page.text
    assert "Trial labels" not in page.text
    assert not re.search(r"\d mL\b", page.text)
    assert 'class="verdict FAIL"' in html


def test_a_result_without_findings_passes(make_result) -> None:
    _, page = read(make_result(findings=(), motion=None))

    assert "PASS" in page.text
    assert "Head motion was not corrected." in page.text


def test_uneven_and_per_slice_clocks_are_said(make_result, small_result) -> None:
    times = small_result.times + np.where(np.arange(small_result.times.size) > 20, 3.0, 0.0)
    per_slice = times[None, :] + 0.2 * np.arange(small_result.grid.shape[2])[:, None]

    _, page = read(make_result(times=per_slice))

    assert "(from 1.5 to 4.5 s)" in page.text
    assert "each slice its own" in page.text


def test_methods_cite_what_was_used_and_nothing_else(make_result, small_result) -> None:
    used = describe_methods(small_result)
    recipe = replace(small_result.recipe, method="ssvd", method_options={"cutoff": 0.15})
    other = describe_methods(make_result(recipe=recipe, motion=None, modality=Modality.MR, lesions=None))

    assert any("Gava" in r for r in used.references)
    assert not any("Gava" in r or "Straka" in r or "Boxerman" in r for r in other.references)
    assert any("mrm.1910360510" in r for r in other.references)
    assert "ssvd, cutoff 0.15" in " ".join(other.sentences)
    assert "0.733" in " ".join(used.sentences)


def test_an_unknown_method_is_named_as_it_is(make_result, small_result) -> None:
    recipe = replace(small_result.recipe, method="posterior")

    assert "Maps were made by posterior" in " ".join(describe_methods(make_result(recipe=recipe)).sentences)


@pytest.mark.parametrize("n_views", [1, 2])
def test_runs_whose_motion_was_left_have_a_report(make_result, n_views) -> None:
    one = make_result(modality=Modality.XA, motion=None, lesions=None)
    drawn = dict.fromkeys(layout.figure_names(one), PNG)

    page = projections.render([(one, drawn)] * n_views)

    assert "Motion was not corrected." in page
    assert page.count("<img") == 3 * n_views
