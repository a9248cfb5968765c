"""Which runs a plan has, and in which order they are performed."""

import dataclasses
import threading

import pytest

from experiments.configs import load_table
from experiments.places import Places, planned_tables, read_plan, write_plan
from experiments.plan import PlanOptions, check_variants, make_plan
from experiments.run_plan import Performer, parse_devices, run_plan
from experiments.run_steps import Device, Outcome
from experiments.staged import winner
from tfrecords.errors import InputError
from tfrecords.workspace import read_csv, write_json

TABLES = [load_table(name) for name in ("6.2", "6.4", "6.5")]


def _run(plan, table, variant, seed="1"):
    return plan.runs[next(row.run for row in plan.rows if (row.table, row.variant, row.seed) == (table, variant, seed))]


def test_rows_that_ask_for_the_same_training_share_a_run():
    plan = make_plan(TABLES, PlanOptions())
    assert _run(plan, "6.2", "gru_attention") == _run(plan, "6.4", "vggface_case0")
    assert _run(plan, "6.4", "vggface_case2") == _run(plan, "6.5", "length80_case2")
    assert (len(plan.rows), len(plan.runs)) == (21, 18)


def test_case_3_starts_from_case_2_of_its_network_length_and_seed_and_comes_after_it():
    plan = make_plan(TABLES, PlanOptions(seeds=("1", "2")))
    order = list(plan.runs)
    for row in plan.rows:
        run = plan.runs[row.run]
        if run.flags["case"] != "3":
            assert not run.rnn_from
            continue
        start = plan.runs[run.rnn_from]
        assert start.flags == {**run.flags, "case": "2"}
        assert order.index(start.name) < order.index(run.name)


def test_the_budget_shortens_every_run_alike_and_all_see_as_many_frames():
    whole, tenth = (make_plan([*TABLES, load_table("challenge")], PlanOptions(budget=b)) for b in (1, 0.1))
    for row, shorter in zip(whole.rows, tenth.rows, strict=True):
        long, short = whole.runs[row.run], tenth.runs[shorter.run]
        frames = int(long.flags["batch"]) * int(long.flags["sequence_length"])
        assert long.steps * frames == pytest.approx(260336 * 160, abs=frames)
        assert short.steps * frames == pytest.approx(260336 * 16, abs=frames)
        assert short.name != long.name
        assert -(-short.steps // short.checkpoint_steps) <= 192


def test_a_cnn_without_published_weights_is_pretrained_once_for_all_seeds():
    chosen = PlanOptions(seeds=("3", "4"), set=("backbone=small_cnn",))
    plan = make_plan([load_table("6.2")], chosen)
    pretraining = [run for run in plan.runs.values() if not run.tested]
    assert len(pretraining) == 1 and pretraining[0].flags["cell"] == "none"
    assert {plan.runs[row.run].cnn_from for row in plan.rows} == {pretraining[0].name}
    given = make_plan([load_table("6.2")], dataclasses.replace(chosen, set=("backbone=small_cnn", "weights=none")))
    assert all(run.tested for run in given.runs.values())


def test_indrnns_bound_follows_the_length_of_the_sequences():
    plan = make_plan([load_table("6.2", "indrnn")], PlanOptions(set=("sequence_length=70",)))
    assert next(iter(plan.runs.values())).flags["recurrent_limit_frames"] == "70"


def test_faults_in_the_flags_name_the_flag():
    with pytest.raises(InputError, match=r"--variants.*'vgg'"):
        check_variants(TABLES, ["vgg"])
    check_variants(TABLES, ["gru", "length70*"])
    with pytest.raises(InputError, match=r"--set.*'batch' is not name=value"):
        make_plan(TABLES, PlanOptions(set=("batch",)))
    with pytest.raises(InputError, match=r"--devices.*'a:1'"):
        parse_devices(("0", "a:1"))
    assert parse_devices(("0", "1:2", "-1")) == [Device(0, 0), Device(1, 2), Device(-1, -1)]


def test_a_stored_plan_reads_back_as_it_was(tmp_path):
    places = Places(tmp_path)
    plan = make_plan(TABLES, PlanOptions(seeds=("1", "2")))
    write_plan(places, TABLES, plan, {"workspace": "w"})
    assert planned_tables(places) == ["6.2", "6.4", "6.5"]
    stored = read_plan(places, "6.5")
    assert stored.rows == [row for row in plan.rows if row.table == "6.5"]
    assert stored.runs == {name: plan.runs[name] for name in stored.runs}
    assert list(stored.config.order) == list(TABLES[2].order)


def _perform(plan, places, perform, at_once=1):
    return run_plan(plan, places, Performer(perform, at_once, threading.Event()))


def test_runs_wait_for_what_they_start_from_and_a_failure_takes_only_those_with_it(tmp_path):
    plan = make_plan([load_table("6.4", "vggface_case3,resnet50_case3")], PlanOptions())
    done = []

    def perform(run):
        assert set(run.needs) <= set(done)
        if run.flags["backbone"] == "vggface" and run.flags["case"] == "2":
            return Outcome(run.name, "loss is nan")
        done.append(run.name)
        return Outcome(run.name, "", 1.0)

    outcomes = _perform(plan, Places(tmp_path), perform, at_once=3)
    reasons = {
        plan.runs[name].flags["backbone"] + plan.runs[name].flags["case"]: o.reason for name, o in outcomes.items()
    }
    assert reasons["resnet502"] == reasons["resnet503"] == "" and reasons["vggface2"] == "loss is nan"
    assert reasons["vggface3"].startswith("not run: it starts from vggface")
    states = {row["rows"]: row["state"] for row in read_csv(tmp_path / "runs.csv")}
    assert states["6.4/resnet50_case3/1"] == "finished" and states["6.4/vggface_case3/1"] == "failed"


def test_finished_runs_are_not_performed_again(tmp_path):
    places, plan = Places(tmp_path), make_plan([load_table("6.2")], PlanOptions())
    first, *others = plan.runs
    write_json(places.state(first), {"state": "finished"})
    performed = []
    _perform(plan, places, lambda run: performed.append(run.name) or Outcome(run.name))
    assert performed == others


def test_no_more_runs_are_at_work_than_there_are_devices(tmp_path):
    plan = make_plan([load_table("6.2")], PlanOptions(seeds=("1", "2")))
    at_work, most, lock, together = 0, 0, threading.Lock(), threading.Barrier(2, timeout=20)

    def perform(run):
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        together.wait()  # there are always two at a time: 8 runs
        with lock:
            at_work -= 1
        return Outcome(run.name)

    assert len(_perform(plan, Places(tmp_path), perform, at_once=2)) == 8
    assert most == 2


def test_staged_hands_the_winner_on_validation_to_the_next_tables(tmp_path):
    places, config = Places(tmp_path), load_table("6.2")
    plan = make_plan([config], PlanOptions(seeds=("1", "2")))
    ccc = {"lstm": (0.5, 0.3), "gru": (0.1, 0.2), "gru_attention": (0.35, 0.35), "indrnn": (0.9, 0.0)}
    for row in plan.rows:
        value = ccc[row.variant][int(row.seed) - 1]
        best = {"total": {"ccc": value}, "valence": {"ccc": -value}}
        write_json(places.run(row.run) / "best.json", best)
    assert winner(places, plan, config, "total") == ("indrnn", {"cell": "indrnn", "attention_length": 0})
    variant, carried = winner(places, plan, config, "valence")
    assert (variant, carried) == ("gru", {"cell": "gru", "attention_length": 0})
    following = make_plan([load_table("6.5")], PlanOptions(), {"cell": "lstm", "attention_length": 0})
    assert {run.flags["cell"] for run in following.runs.values()} == {"lstm"}
    with pytest.raises(InputError, match="no evaluated run"):
        winner(Places(tmp_path / "other"), plan, config, "total")
