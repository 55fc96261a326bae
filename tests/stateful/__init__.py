"""Whatever is called, in whatever order: the store holds what a plain model says, also after it was reopened.

* `model` is what the store should hold and do: dicts of frozen records, one file per aggregate
* `values` are the ids and values that are likely to go wrong
* `calls` are calls as data, `writes` and `reads` every one that there is with what it may be given;
  `poison` spoils some of it
* `units` are what Hypothesis draws: a few calls in one unit of work, and how that ends
* `databases` are where the store is: in a file, or on a server
* `imported` is what may be there from the beginning
* `machine` does it all to the store and to the model, reopens the store now and then, and compares

A failure prints the shortest way there that Hypothesis finds, as a few lines of Python.
"""
