"""What agents are asked and what they answer: pydantic models, one module per agent, all of them safe as JSON."""
