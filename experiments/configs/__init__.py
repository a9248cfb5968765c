"""The paper's experiments as data, a file a table; the docstring of each tells its command and the published result.

Each file has ``get_config(variant="")``, an ml_collections `ConfigDict` as `experiments.configs.table.make_table` makes
it; a variant's name, or several with commas, chooses some of its runs. A new table is a file here and an entry in
`TABLES`; a file that lies elsewhere is given with ``experiments.run --config=FILE.py:VARIANT``.
"""

from __future__ import annotations

import importlib

import ml_collections

# In the order of the thesis, which is that of ``experiments.run --staged``.
TABLES = {
    "6.2": "table_6_2",
    "6.4": "table_6_4",
    "6.5": "table_6_5",
    "challenge": "challenge",
}


def load_table(name: str, variant: str = "") -> ml_collections.ConfigDict:
    """The configuration of the table `name` of `TABLES`."""
    return importlib.import_module(f"experiments.configs.{TABLES[name]}").get_config(variant)
