"""Taking a person out of a workspace, for `data_pipeline.remove_subject`.

person.py      which clips, entries and names are theirs, by the manifest and its older versions
plan.py        all that is to be changed, in an order that can be broken off and begun again
outputs.py     the stages' outputs, found by the names of clips and entries
tables.py      rows of tables, and parts of the JSON files that tell of all clips
other_person.py    what stays of a clip of two people with ``--keep_others``
sources.py     the videos that the person's clips are cut from
models.py      models that were trained on them, and the results of tests on them
log.py         ``removals.csv``
leftovers.py   the search for what is left
"""
