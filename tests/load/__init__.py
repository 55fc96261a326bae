"""Many people at once, for as long as it takes: no error, nothing lost, nothing that grows without a bound."""
