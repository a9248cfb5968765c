"""The annotation tool: a server on loopback and a page on which people label clips while these play.

``passes.py`` says what a pass is and reads its file, ``journal.py`` makes samples durable, ``publish.py`` turns a
finished pass into the files that the matcher reads, ``app.py``, ``asked.py`` and ``guard.py`` are the server,
``static/`` is the page.
"""
