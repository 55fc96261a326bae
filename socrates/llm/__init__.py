"""Calling language models. `LLMClient` in client.py has every operation; the way of a call, from the top down:

* operations/: what can be asked, by family. An operation composes its prompt, calls, and says what came of it.
* prompts/: instructions, in TOML files, and the project's data in marked blocks, as much as there is room for.
* calls.py: every request goes through it. credentials.py finds model and key, accounting.py asks for the budget and
  stores what was used, retrying.py says when to try again.
* provider.py: what a provider has to do. claude/ does it, and nothing else knows the vendor's SDK.
* answers.py and parsing.py: the forms of answers that are not free text, and reading them.

prices.toml and providers.toml are data for the modules of the same names. demo/ is a model that
needs no network. keys.py, vault.py, recrypting.py and v1_keys.py keep the users' keys.
"""
