"""docs/fidelity.md names tests that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_test_that_the_fidelity_document_names_exists() -> None:
    named = set(re.findall(r"\btest_\w+\b(?!\.py)", (ROOT / "docs" / "fidelity.md").read_text()))
    sources = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(named) > 30
    assert sorted(name for name in named if f"def {name}(" not in sources) == []
