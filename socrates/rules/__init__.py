"""Pure domain rules: what v1 computed, with the numbers of its specification, and what was decided to mend.

They read views and return values; nothing here touches a database, a model or a clock that is not handed in.
"""
