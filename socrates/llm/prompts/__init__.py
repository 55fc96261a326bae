"""Every prompt: the words in TOML files, one per family, and the functions that put a prompt together from them."""
