"""The plan's 50 scenarios: what a user sees in each, compared with what was recorded in baseline.json.

`python -m tests.regression.record [NAME ...]` shows what differs, and with `--write` makes that the new baseline.
"""
