"""Claude, by the vendor's SDK, which no other package imports: requests, answers, failures, connections."""
