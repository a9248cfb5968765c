"""The plan and the table of action units first against valence and arousal alone."""

import numpy as np
import pytest

from experiments.action_units_table import write_comparison
from experiments.configs.action_units import get_config
from experiments.places import Places, read_plan, write_plan
from experiments.plan import PlanOptions, make_plan
from tfrecords.workspace import Workspace, read_csv, read_json, write_csv, write_json

CLIPS = [f"c{number}" for number in range(12)]


def test_both_systems_get_as_many_steps_and_the_second_stage_starts_from_the_first_of_its_seed():
    plan = make_plan([get_config()], PlanOptions(seeds=("1", "2"), steps=360))
    by_row = {(row.variant, row.seed): plan.runs[row.run] for row in plan.rows}
    assert set(by_row) == {("two_stage", "1"), ("two_stage", "2"), ("va_only", "1"), ("va_only", "2")}
    assert len(plan.runs) == 6
    for seed in ("1", "2"):
        second = by_row["two_stage", seed]
        first = plan.runs[second.stage_from]
        assert first.flags == {**second.flags, "stage": "action_units"} and first.flags["seed"] == seed
        assert not first.tested and second.tested and second.needs == (first.name,)
        assert first.steps + second.steps == by_row["va_only", seed].steps == 900
        assert by_row["va_only", seed].flags == second.flags and not by_row["va_only", seed].stage_from


def test_the_order_of_the_plan_has_the_stage_before_first():
    plan = make_plan([get_config()], PlanOptions(steps=360, variants=("two_stage", "two_stage_tuned")))
    order = list(plan.runs)
    assert all(order.index(need) < order.index(name) for name, run in plan.runs.items() for need in run.needs)
    # Both take over the same first stage.
    assert len(order) == 3


@pytest.fixture
def tested(tmp_path):
    """Two systems of two seeds with written results; the first one's predictions are the nearer ones."""
    plan = make_plan([get_config()], PlanOptions(seeds=("1", "2"), steps=4))
    places, workspace = Places(tmp_path / "output"), Workspace(tmp_path / "workspace")
    write_plan(places, [get_config()], plan, {})
    write_json(workspace.root / "database.json", {"name": "drawn", "synthetic": True, "notice": "Drawn."})
    rows = [{"entry": clip, "clip": clip, "subject": clip, "partition": "test", "frames": 30} for clip in CLIPS]
    write_csv(workspace.partition, list(rows[0]), rows)
    random = np.random.default_rng(4)
    for row in plan.rows:
        noise = {"two_stage": 0.1, "va_only": 0.6}[row.variant]
        ccc = {"two_stage": 0.9, "va_only": 0.5}[row.variant] + 0.01 * int(row.seed)
        folder = places.run(row.run) / "test"
        for name in ("valence", "arousal"):
            for clip in CLIPS:
                labels = random.uniform(-1, 1, 30)
                predicted = labels + random.normal(0, noise, 30)
                lines = [
                    {name: f"{p:.5f}", f"{name}_label": f"{y:.5f}"} for p, y in zip(predicted, labels, strict=True)
                ]
                write_csv(folder / name / f"{clip}.csv", [name, f"{name}_label"], lines)
        measures = {"step": 2, "ccc": {"valence": ccc, "arousal": ccc}, "mse": {"valence": 0.1, "arousal": 0.2}}
        heads = {"f1_au_1": 0.7, "f1_au_45": 0.5, "f1_au01": 0.7} if row.variant == "two_stage" else {}
        found = {name: {**measures, "heads": heads} for name in ("valence", "arousal", "total")}
        write_json(folder / "results.json", {"checkpoints": found})
    return places, workspace


def test_the_table_has_means_spreads_f1_and_differences_and_says_that_it_is_synthetic(tested):
    places, workspace = tested
    text = write_comparison(places, read_plan(places, "action_units"), workspace).read_text()
    assert "SYNTHETIC" in text
    assert "| 5 + 5 | 2 | 0.915 ± 0.007 | 0.915 ± 0.007 | 0.100 ± 0.000 | 0.200 ± 0.000 | 0.600 ± 0.000 |" in text
    assert "| 10 | 2 | 0.515 ± 0.007 |" in text and "| – |" in text
    told = read_json(places.report / "action_units.json")
    assert told["synthetic"] and told["baseline"] == "va_only"
    for name in ("valence", "arousal"):
        found = told["differences"]["two_stage"][name]
        assert 0 < found["low"] < found["difference"] < found["high"] and found["p"] < 0.05 and found["clips"] == 12
        assert f"CCC of {name} {found['difference']:+.3f}" in text
    rows = {row["variant"]: row for row in read_csv(places.report / "action_units.csv")}
    assert rows["two_stage"]["ccc_valence_mean"] == "0.915" and rows["two_stage"]["f1_action_units_mean"] == "0.6"
    assert rows["va_only"]["f1_action_units_mean"] == ""


def test_a_system_that_is_not_tested_yet_has_dashes(tested):
    places, workspace = tested
    table = read_plan(places, "action_units")
    for row in table.rows:
        if row.variant == "va_only":
            (places.run(row.run) / "test" / "results.json").unlink()
            for path in (places.run(row.run) / "test").glob("*/*.csv"):
                path.unlink()
    text = write_comparison(places, table, workspace).read_text()
    assert "| 10 | 0 | – | – | – | – | – |" in text and "is not compared" in text
