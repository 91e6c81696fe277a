"""Answers of classifiers stand in the table, the summary and the report, with what they are worth."""

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest

from bolus.core.research import About, Bounds, Marker, Quantity, Reply, ResearchResult, Score, refused
from bolus.core.units import Modality
from bolus.export import layout, render, research, schema, summarise, summary_lines
from bolus.export.figures.angiogram import draw_minip
from bolus.export.summary import dumps

ABOUT = About(
    "core-size",
    "Is the core 32 mL or more?",
    Modality.CT,
    "Counts what the maps call core.",
    "Not for diagnosis.",
    "300 simulated patients",
    (Score("simulated patients, site A", 75, Bounds(0.97, 0.93, 0.99)),),
)
MARKED = ResearchResult(
    ABOUT,
    Reply.YES,
    probability=Bounds(0.93, 0.71, 0.99),
    quantities=(Quantity("core volume", "mL", Bounds(52.4, 41.2, 66.0)),),
    markers=(Marker("core", 12.0, 30.0, 2.0, 5.0, 0.9),),
)
UNSURE = ResearchResult(ABOUT, Reply.UNSURE, "The <b>volume</b> is near the limit.", Bounds(0.5, 0.5, 0.5))
REFUSAL = refused(ABOUT, "one slice only")


def rendered(result):
    return render(result, dict.fromkeys(layout.figure_names(result), b"PNG"))


@pytest.mark.parametrize("one", [MARKED, UNSURE, REFUSAL])
def test_each_answer_obeys_the_schema(make_result, one):
    document = json.loads(dumps(summarise(make_result(research=(one,)))))
    jsonschema.Draft202012Validator(schema()).validate(document)
    (found,) = document["research"]
    assert (found["reply"], found["reason"]) == (one.reply.value, one.reason)
    assert found["scores"][0]["auc"] == {"value": 0.97, "low": 0.93, "high": 0.99}
    assert found["notice"] == "Research use only - not for diagnosis"
    assert (found["probability"] is None) == (one is REFUSAL)


def test_a_run_without_classifiers_has_no_research(small_result):
    assert summarise(small_result)["research"] == []
    assert "Research results" not in rendered(small_result)
    assert not [label for label, _ in summary_lines(small_result) if label.endswith("(research)")]


def test_the_table_holds_question_and_answer(make_result):
    rows = dict(summary_lines(make_result(research=(MARKED,))))
    assert rows["core-size (research)"] == (
        "Is the core 32 mL or more? yes, chance 0.93 (0.71-0.99), core volume 52 mL (41-66), "
        "core at column 12, row 30, slice 2, within 5 pixels in 90 % of simulated patients"
    )
    assert research.answer(REFUSAL) == "refused: one slice only"
    assert research.answer(UNSURE) == "do not know, chance 0.50"


def test_the_report_says_what_an_answer_is_worth(make_result):
    html = rendered(make_result(research=(MARKED, UNSURE, REFUSAL)))
    assert html.count('<div class="research">') == 3
    for wanted in (
        "Research results",
        "not for diagnosis",
        "Is the core 32 mL or more?",
        "0.970 (0.930-0.990) on 75 simulated patients, site A",
        "Made from 300 simulated patients.",
        "The &lt;b&gt;volume&lt;/b&gt; is near the limit.",
        "refused: one slice only",
    ):
        assert wanted in html, wanted


def test_unmeasured_classifiers_say_so():
    assert research.worth(replace(ABOUT, scores=(), trained_on="")) == "How good it is has not been measured."


def test_a_ring_lies_about_the_place_as_the_series_is_stored(make_result):
    result = make_result()
    mask = research.ring(result, MARKED.markers[0])
    where = np.argwhere(mask)
    assert set(where[:, 2]) == {2}
    np.testing.assert_allclose(where[:, :2].mean(axis=0), [12, 30], atol=0.1)
    np.testing.assert_allclose(np.hypot(*(where[:, :2] - [12, 30]).T), 5, atol=1)

    flipped = make_result(grid=replace(result.grid, flips=(True, False, False)))
    turned = np.argwhere(research.ring(flipped, MARKED.markers[0]))
    np.testing.assert_allclose(turned[:, 0].mean(), result.grid.shape[0] - 1 - 12, atol=0.1)


def test_the_projection_shows_the_ring(make_result):
    marker = replace(MARKED.markers[0], z=0.0)
    one = make_result(modality=Modality.XA)
    assert draw_minip(one) != draw_minip(replace(one, research=(replace(MARKED, markers=(marker,)),)))
