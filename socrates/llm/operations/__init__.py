"""The operations, by family. `socrates.llm.client.LLMClient` has them all."""
