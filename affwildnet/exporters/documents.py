"""What an exported folder says of itself: ``MODEL_CARD.md``, after Mitchell et al. (2019), and ``SIGNATURES.md``."""

from __future__ import annotations

import importlib.resources
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from affwildnet.backbones import BACKBONES
from affwildnet.checkpoints import checkpoint_step
from affwildnet.heads import HEAD_KINDS, Head, parse_heads, regression_places
from affwildnet.input_spec import InputSpec
from affwildnet.model_folder import ModelFolder
from affwildnet.models import ModelOptions
from affwildnet.pretrained_files import PRETRAINED_FILES
from tfrecords.workspace import read_csv, read_json, write_text

TEMPLATES = ("MODEL_CARD.md", "SIGNATURES.md")


def write_documents(
    output: Path,
    folder: ModelFolder,
    prefix: str,
    options: ModelOptions,
    spec: InputSpec,
    state_width: int,
    measured: Mapping[str, Any],
) -> None:
    """Writes both into `output`; `measured` is what ``differences.json`` holds."""
    facts = {
        "model": options,
        "spec": spec,
        "state_width": state_width,
        "formats": measured["formats"],
        **card_facts(folder, prefix, options),
    }
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    environment.filters["figure"] = _figure
    for name in TEMPLATES:
        template = importlib.resources.files("affwildnet.exporters").joinpath(f"{name}.j2").read_text(encoding="utf-8")
        write_text(output / name, environment.from_string(template).render(facts))


def card_facts(folder: ModelFolder, prefix: str, options: ModelOptions) -> dict[str, Any]:
    """What is known of the model's data, training and measures; what is not is left empty."""
    told = read_json(folder.model)
    training, database = told.get("training", {}), told.get("database", {})
    tested_path = folder.root / "test" / "results.json"
    tested = read_json(tested_path) if tested_path.exists() else {}
    step = checkpoint_step(prefix)
    heads = parse_heads(options.heads)
    regressions = [options.outputs[place] for place in regression_places(options.outputs, heads)]
    names = [*regressions, "total"] if regressions else []
    return {
        "step": step,
        "training": training,
        "database": database,
        "subjects": len(database["trained_subjects"]) if "trained_subjects" in database else None,
        "parts": tested.get("database", {}),
        "confidence": tested.get("intervals", {}).get("confidence", 0.95),
        "validation": _validation(folder, step, names),
        "test": _test(tested, step, names),
        "heads": [(head, HEAD_KINDS[head.kind].says) for head in heads],
        "validation_heads": _validation_heads(folder, step, heads),
        "test_heads": _test_heads(tested, step),
        "thresholds": tested.get("thresholds", {}),
        "test_part": tested.get("partition", "test"),
        "pretrained": pretrained_terms(options.backbone, training),
    }


def pretrained_terms(backbone: str, training: Mapping[str, Any]) -> str:
    """On which terms the weights come that the CNN began with, in a sentence."""
    if "imported_from" in training:
        return "Imported from a TensorFlow 1 checkpoint; its authors state no licence."
    if training.get("cnn_from"):
        return f"The CNN began as another model's ({training['cnn_from']}): its card tells the terms."
    name = training.get("weights", "none")
    if name == "published":
        name = BACKBONES[backbone].weights or "none"
    if name == "none":
        return "The CNN began with random weights."
    if name in PRETRAINED_FILES:
        return (
            f"The CNN began with the weights {name}: {PRETRAINED_FILES[name].licence} ({PRETRAINED_FILES[name].url})."
        )
    return f"The CNN began with the file {name}, whose terms are not known here."


def _validation(folder: ModelFolder, step: int, names: Sequence[str]) -> list[dict[str, Any]]:
    table = folder.evaluations()
    rows = [row for row in read_csv(table) if row["step"] == str(step)] if table.exists() else []
    if not rows:
        return []
    columns = {"ccc": "ccc", "low": "low_ccc", "high": "high_ccc", "mse": "mse"}
    return [
        {"name": name} | {key: _number(rows[0].get(f"{column}_{name}")) for key, column in columns.items()}
        for name in names
    ]


def _test(tested: Mapping[str, Any], step: int, names: Sequence[str]) -> list[dict[str, Any]]:
    for result in tested.get("checkpoints", {}).values():
        if result["step"] == step:
            ends = result.get("interval", {}).get("ccc", {})
            return [
                {"name": name, "ccc": result["ccc"][name], "mse": result["mse"][name]}
                | dict(zip(("low", "high"), ends.get(name, (None, None)), strict=True))
                for name in names
            ]
    return []


def _validation_heads(folder: ModelFolder, step: int, heads: Sequence[Head]) -> dict[str, float | None]:
    table = folder.evaluations()
    rows = [row for row in read_csv(table) if row["step"] == str(step)] if heads and table.exists() else []
    names = ("accuracy_", "f1_", "macro_f1_", "score_")
    return {name: _number(value) for row in rows for name, value in row.items() if name.startswith(names)}


def _test_heads(tested: Mapping[str, Any], step: int) -> dict[str, float | None]:
    found = [result.get("heads", {}) for result in tested.get("checkpoints", {}).values() if result["step"] == step]
    return {name: value for name, value in found[0].items() if not name.startswith(("ccc_", "mse_"))} if found else {}


def _number(text: str | None) -> float | None:
    return float(text) if text else None


def _figure(value: float | None, digits: int = 3) -> str:
    return "not defined" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"
