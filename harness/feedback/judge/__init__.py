"""An LLM judge: what it is asked, by whom, and what it costs."""
