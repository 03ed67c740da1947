"""The address of MLflow's store: as it is used, and as a screen, a log or a file may have it."""

import os
import re
from urllib.parse import parse_qsl, unquote, unquote_plus

from harness.common.errors import add_secret, one_line
from harness.common.stores import repo_root

HIDDEN = "***"
LEAST = 4  # characters of a secret: a shorter one is in texts by chance
HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]*)(:\d*)?")
# The schemes that MLflow knows: any other may be part of a secret.
FILES = {"", "sqlite", "file"}
SERVERS = {"http", "https", "postgresql", "mysql", "mssql"}
PROFILES = {"databricks", "databricks-uc", "uc"}


def default_uri() -> str:
    """The SQLite file in the real repository root."""
    return f"sqlite:///{repo_root() / 'mlflow.db'}"


def tracking_uri() -> str:
    """``MLFLOW_TRACKING_URI``, else the default."""
    return os.environ.get("MLFLOW_TRACKING_URI") or default_uri()


def shown_uri(uri: str | None = None) -> str:
    """A URI, or the tracking URI, as far as none of it can be secret.

    Of a file the path, of a server kind, host and port: a token may be anywhere else. Where a
    password that was not encoded (``http://me:p/ss@host``) leaves open what is part of it, the
    kind alone; nothing where MLflow knows no such scheme.
    """
    scheme, sign, rest = (tracking_uri() if uri is None else uri).rpartition("://")
    kind = scheme.partition("+")[0]  # without SQLAlchemy's driver
    authority, tail = _parts(rest)
    host = authority.rpartition("@")[2]
    if kind in FILES:
        hidden = "@" in (authority if sign else rest)
        return HIDDEN if hidden else f"{kind}{sign}{re.split('[?#;]', rest)[0]}"
    if kind not in SERVERS | PROFILES:
        return HIDDEN
    if kind in PROFILES or "@" in tail or not HOST.fullmatch(host):
        return f"{kind}://{HIDDEN}"
    return f"{kind}://{host}" + (f"/{HIDDEN}" if tail.strip("/") else "")


def reason(error: Exception) -> str:
    """What an error of MLflow's says, on one line, without what the tracking URI hides.

    The error's kind alone where its words cannot be searched for secrets.
    """
    uri = tracking_uri()
    secrets = _secrets(uri)
    if HIDDEN in shown_uri() or min(map(len, secrets), default=LEAST) < LEAST:
        return type(error).__name__
    for secret in secrets:
        add_secret(secret, LEAST)
    return one_line(str(error).replace(uri, shown_uri()), 200) or type(error).__name__


def _parts(rest: str) -> tuple[str, str]:
    """What follows ``://``: user, host and port; and path, query and fragment."""
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    return authority, rest[len(authority) :]


def _secrets(uri: str) -> set[str]:
    """All that `shown_uri` leaves out of a URI but a user's name."""
    if shown_uri(uri) == uri:
        return set()
    authority, tail = _parts(uri.partition("://")[2])
    user, _, password = authority.rpartition("@")[0].partition(":")
    query = re.split("[?#]", tail, maxsplit=1)[1:]
    secrets = {password or user, *query}
    secrets |= {value for text in query for _, value in parse_qsl(re.sub("[?#]", "&", text))}
    secrets.discard("")
    return secrets | {form(one) for one in secrets for form in (unquote, unquote_plus)}
