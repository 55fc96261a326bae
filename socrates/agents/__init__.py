"""The fourteen agents of the Socratic system: what it can be asked to do, and who may ask.

* contracts/: the forms of requests and responses, a module per agent; base.py has what they share.
* base.py: how a request becomes a response; one unit of work for what an action writes, news after its commit.
* access.py: who may do what. failures.py: how an exception is told. services.py: what agents work with.
* a module per agent, by its name.

Agents reach storage through units of work and cached reads only, and await no model while a unit is open.
"""
