"""The same conversation work by ours and by what people would take instead, each in a process of its own.

Here `run` and `ours` belong to this project's environment; the workers of the peers belong to theirs, which has nothing
of ours, so that `serving` imports the standard library only.
"""
