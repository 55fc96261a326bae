"""A model server on this machine that speaks Anthropic's Messages API: for demonstrations, and for tests with faults.

It needs no network and no key that is worth anything, costs nothing, and gives the same answer to the same request.
`server.ModelServer` is it, and `python -m socrates.llm.demo` starts one.
"""
