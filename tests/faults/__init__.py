"""Kills, full disks, errors and Ctrl-C at every moment of an operation on a database; afterwards a judge looks.

`operations.py` says what is done; a new one is added to its list. `moments.py` says when it can be struck, `victim.py`
is the process that it happens to, and says by what (`disk.py`: by a full disk), `trial.py` drives it, and `judge.py`
says whether what it left may be left.
"""
