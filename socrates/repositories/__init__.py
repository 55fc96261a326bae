"""One file per aggregate. `…Reads` are what a store's faces offer, `…Repository` what a unit of work offers besides."""
