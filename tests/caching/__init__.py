"""The caches: what they keep and for how long, and that nothing in them is ever stale.

* `stepping` runs tasks an await at a time, so that a test decides who goes on
* `machine` has readers, writers, two stores and a second process meet, and compares with the model of `tests.stateful`;
  `server_machine` does so with two stores on PostgreSQL
* `reads` are the cached reads as calls, `second_process` is the other process
"""
