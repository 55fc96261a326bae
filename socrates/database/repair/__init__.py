"""What is wrong with a SQLite file, and what of it can be mended or carried over.

`findings` tells what is wrong. What breaks our rules is mended in place (`mending`). Where pages are damaged, `salvage`
carries over what can be read into a new file: `pages` reads SQLite's file format, `trees` walks it past the damage,
`stored_tables` makes rows of it again. What has no place in a table any more goes to `kept_rows`.
"""
