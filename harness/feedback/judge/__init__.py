"""An LLM judge: its questions, client, answers and spending."""
