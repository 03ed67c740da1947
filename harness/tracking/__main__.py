"""`python -m harness.tracking` prints where MLflow is, without a password or a token."""

import sys

from harness.tracking.uri import shown_uri

sys.stdout.write(f"{shown_uri()}\n")
