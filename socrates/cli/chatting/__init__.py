"""A conversation with Socrates in a terminal: what `socrates chat` does.

* screen.py: what is shown, and what is asked. Nothing else writes to the terminal, or reads from it.
* session.py: who talks about which project, and requests to agents.
* entrance.py: logging in, registering, choosing a project.
* talk.py: one question after another. answers.py: what they tell. deciding.py: conflicts.
* commands.py: what begins with a slash.
* files.py: artifacts as files.
"""
