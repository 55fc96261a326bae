"""All that knows v1's format: recognising its files, reading its pickles, converting, importing, checking, backup.

The way of a row: `reader` fetches it, `scan` judges the bytes of its pickle, `unpickling` loads it with an exact list
of types, `walk` judges what came out, `projects` and `records` convert it, `importer` writes and compares it.
Nothing here knows the models: revisions must keep working when the models move on.
"""
