"""The comparison of all map methods: its scores, its tables, and that a stopped one goes on."""

from dataclasses import replace

import numpy as np
import pytest
from benchmarks.head_to_head import __main__ as command
from benchmarks.head_to_head import tables
from benchmarks.head_to_head.exams import CT_SETTINGS, GRID, MR_SETTINGS, SITES, Exam, Setting, exams, thinned
from benchmarks.head_to_head.judging import MAPS, cut, held, judge, off

from bolus import phantom
from bolus.deconvolve import METHODS
from bolus.learn import MAPPERS

USUAL = CT_SETTINGS[1]
SMALL = Exam("CT", "A", 0, Setting("3 HU, 1/2", 3.0, 2), size=64)


def run(method, patient, setting="3 HU", **scores):
    found = {"method": method, "patient": patient, "setting": setting, "site": patient[0], "modality": "CT"}
    return found | {"refused": "", "withheld": False, "findings": [], "scores": {"seconds": 1.0, **scores}}


class TestScores:
    def test_a_scale_is_told_apart_from_the_error(self):
        true = np.array([10.0, 20.0, 30.0])

        assert off(9.0 * true, true, "CBF") == pytest.approx({"error": 0.0, "scale": 9.0})
        assert off(true - 3.0, true, "MTT") == pytest.approx({"error": 3.0, "bias": -3.0})

    def test_a_map_without_flow_has_no_error_after_scaling(self):
        assert off(np.zeros(3), np.ones(3), "CBF") == {"scale": 0.0}

    def test_intervals_hold_errors_within_their_reach(self):
        errors, sd = np.array([0.5, -1.2, 2.0, np.nan]), np.ones(4)

        assert held(errors, sd) == pytest.approx({"held 68": 1 / 3, "held 90": 2 / 3})
        assert held(errors, np.full(4, np.nan)) == {}

    def test_values_beyond_sight_are_cut(self):
        values = np.array([-5.0, 8.0, 1e6])

        assert cut(values, "MTT") == pytest.approx([0.0, 8.0, 40.0])
        assert cut(values, "TTP") == pytest.approx(values)


class TestExams:
    def test_no_method_is_left_out(self):
        asked = {method for exam in exams(1) for method in exam.methods}

        assert asked == {*METHODS, *MAPPERS}

    def test_all_sites_have_all_settings(self):
        made = {(e.modality, e.site, e.setting) for e in exams(1)}

        assert made >= {("CT", site, setting) for site in (*SITES, GRID) for setting in CT_SETTINGS}
        assert made >= {("MR", site, setting) for site in SITES for setting in MR_SETTINGS}

    def test_names_of_files_differ(self):
        names = [exam.name for exam in exams(3)]

        assert len(set(names)) == len(names)
        assert not any("/" in name for name in names)

    def test_one_patient_is_the_same_in_all_settings(self):
        options = [Exam("CT", "B", 1, setting).options() for setting in CT_SETTINGS]

        assert len({replace(o, noise_hu=0.0) for o in options}) == 1
        assert [o.noise_hu for o in options] == [s.noise_hu for s in CT_SETTINGS]

    def test_flow_of_the_decoupled_strays_and_that_of_others_does_not(self):
        strays = {site: Exam("CT", site, 0, USUAL).options().physiology.decoupling for site in SITES}

        assert strays["decoupled"] > 0.2
        assert strays["A"] == strays["B"] == 0.0

    def test_networks_that_look_for_a_head_are_not_asked_about_the_grid(self):
        methods = Exam("CT", GRID, 0, USUAL).methods

        assert "net" in methods
        assert "unet" not in methods

    def test_frames_are_left_out_with_their_times(self):
        series = phantom.kudo(tile_px=2, n_frames=10).series

        third = thinned(series, 3)

        assert third.times == pytest.approx(series.times[::3])
        assert np.array_equal(third.frames, series.frames[..., ::3])


class TestTables:
    def test_a_cell_averages_patients_and_says_how_sure_it_is(self):
        runs = [run("net", "A-0", **{"core Dice": 0.5}), run("net", "A-1", **{"core Dice": 0.9})]

        assert tables.cell(runs, "core Dice") == "0.70 (0.50 to 0.90)"
        assert not tables.cell(runs, "CBF error")

    def test_what_was_refused_withheld_or_fell_back_is_counted(self):
        refused = run("unet", "A-1") | {"refused": "frames are too far apart", "scores": {}}
        fell = run("unet", "A-2") | {"withheld": True, "findings": ["NET_FALLBACK"]}

        (row,) = [
            line
            for line in tables.account([run("unet", "A-0"), refused, fell]).splitlines()
            if "`unet`" in line
        ]

        assert row.startswith("| `unet` | 3 | 1 | 1 | 1 |")

    def test_differences_are_those_on_the_same_scans(self):
        runs = [run("posterior", f"A-{i}", **{"core off": 10.0 * i}) for i in range(3)]
        runs += [run("net", f"A-{i}", **{"core off": 10.0 * i - 2.0}) for i in range(3)]

        assert "| `net` | -2.00 (-2.00 to -2.00) |" in tables.paired(runs)

    def test_methods_without_a_score_have_no_row(self):
        runs = [run("net", "A-0", **{"maps held 68": 0.7}), run("osvd", "A-0")]

        assert [row["method"] for row in tables.by_setting(runs, "maps held 68", "CT")] == ["`net`"]


class TestGoingOn:
    def test_only_what_is_missing_is_run(self, tmp_path, monkeypatch):
        asked = []

        def judged(_exam, method):
            asked.append(method)
            return {"method": method, "refused": "", "withheld": False, "findings": [], "scores": {}}

        monkeypatch.setattr(command, "judge", judged)
        exam = Exam("CT", "A", 0, USUAL)
        command.judged(exam, tmp_path, ["osvd"])

        again = command.judged(exam, tmp_path, ["osvd", "net"])

        assert asked == ["osvd", "net"]
        assert [found["method"] for found in again] == ["osvd", "net"]
        assert again[0]["patient"] == "A-0"


class TestJudge:
    def test_physics_and_network_are_judged_against_the_truth(self):
        for method in ("osvd", "net"):
            found = judge(SMALL, method)

            assert not found["refused"]
            scores = found["scores"]
            assert all(0.0 < scores[f"{name} error"] < 30.0 for name in MAPS)
            assert scores["Tmax error"] < 4.0
            assert 0.5 < scores["hypoperfused Dice"] <= 1.0
            assert abs(scores["core error"]) == scores["core off"]

    def test_what_a_method_refuses_is_told(self):
        found = judge(replace(SMALL, setting=Setting("3 HU, 1/5", 3.0, 5)), "unet")

        assert "too far apart" in found["refused"]
        assert found["scores"] == {}
