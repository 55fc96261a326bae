"""What it takes to call language models; so far, the keys for their providers."""
