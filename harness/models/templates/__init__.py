"""Our chat templates, and how any is written out and encoded; `template.py` is the door."""
