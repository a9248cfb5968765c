"""Other databases by name, a file each. A new database is one new file and one entry here.

Each gives a `Database`: its clips with their annotations, and its terms. None of the databases is public: who imports
one must have it from its authors.
"""

from __future__ import annotations

from data_pipeline.importers import (
    afew_va,
    aff_wild,
    aff_wild2,
    affwildnet_csv,
    bp4d,
    carma,
    celeba,
    disfa,
    elan,
    omg_emotion,
    original_text,
    rating_csv,
)
from data_pipeline.importers.database import Database

IMPORTERS: dict[str, Database] = {
    "aff_wild": aff_wild.DATABASE,
    "aff_wild2": aff_wild2.DATABASE,
    "afew_va": afew_va.DATABASE,
    "bp4d": bp4d.DATABASE,
    "celeba": celeba.DATABASE,
    "disfa": disfa.DATABASE,
    "omg_emotion": omg_emotion.DATABASE,
    "affwildnet_csv": affwildnet_csv.DATABASE,
    "carma": carma.CARMA,
    "darma": carma.DARMA,
    "elan": elan.DATABASE,
    "original_text": original_text.DATABASE,
    "csv": rating_csv.DATABASE,
}
