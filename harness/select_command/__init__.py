"""`python -m harness select`: the samplers as a tool, for a pool file and no pipeline.

``harness/select_command/command.py`` has the order of what happens; docs/select.md is for its user.
"""
