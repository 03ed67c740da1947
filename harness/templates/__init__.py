"""Our chat templates, and how any is written out and encoded; harness/template.py is the door."""
