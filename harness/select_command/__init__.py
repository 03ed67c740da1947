"""`python -m harness select`: the samplers as a tool without the pipeline; see docs/select.md."""
