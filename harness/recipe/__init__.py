"""The training recipe of a preset, chosen by `random` alone on rows that no table reports."""
