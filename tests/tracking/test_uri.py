"""The address of MLflow's store: what of it may be shown, and that no more is."""

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.params.params import Params
from harness.tracking.upsert import track
from harness.tracking.uri import reason, shown_uri
from tests.helpers.build_runs import ROOT, SMALL, Caplog, build_runs

# MLflow itself uses what SQLAlchemy deprecates.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(autouse=True)
def _forgetting(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test has hidden stays readable in the next."""
    monkeypatch.setattr("harness.common.errors._registered", {})


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    monkeypatch.chdir(tmp_path)
    return build_runs(tmp_path, **SMALL)


ADDRESSES = {
    "http://me:p@ss@host": "http://host",
    "http://me:p%40ss@host:5000/x?token=secret99#f": "http://host:5000/***",
    "http://host:5000/t/secret99/": "http://host:5000/***",
    "http://host/a;token=secret99": "http://host/***",
    "https://host?token=secret99": "https://host/***",
    "https://secret99@host/": "https://host",
    "https://secret99:@host": "https://host",
    "http://me:secret99/x@host": "http://***",
    "http://me:secret99#x@host": "http://***",
    "http://me:secret99": "http://***",
    "http://secret99://host": "***",
    "me:secret99@host": "***",
    "secret99://host": "***",
    "secret99": "secret99",  # a folder of that name, as MLflow reads it
    "postgresql+psycopg2://me:secret99@host:5432/db?sslpassword=p@ss": "postgresql://***",
    "postgresql://me:secret99@host:5432/db?sslpassword=secret": "postgresql://host:5432/***",
    "mysql+pymysql://me:secret99@host": "mysql://host",
    "https://[::1]:5000": "https://[::1]:5000",
    "sqlite:////home/me@corp/mlflow.db": "sqlite:////home/me@corp/mlflow.db",
    "sqlite:///mlflow.db?key=secret99": "sqlite:///mlflow.db",
    "databricks": "databricks",
    "databricks://secret99": "databricks://***",
    "./mlruns": "./mlruns",
}


@pytest.mark.parametrize("uri", ADDRESSES)
def test_an_address_is_shown_without_what_is_secret(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shown_uri(uri) == ADDRESSES[uri]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    secrets = [one for one in ("p@ss", "p%40ss", "secret99") if one in uri and one != uri]
    pieces = " ".join([uri, *secrets, uri.rpartition("@")[0], uri.partition("?")[2]])
    text = reason(ValueError(f"{pieces}\nand more"))
    assert not any(secret in text for secret in secrets)
    assert "\n" not in text


@pytest.mark.parametrize(
    "uri",
    [
        "http://me:p@ss@127.0.0.1:9",
        "http://127.0.0.1:9?token=secret99",
        "http://me:secret99/x@127.0.0.1:9",
        "http://me:secret99@[127",
        "postgresql://me:secret99@127.0.0.1:9/db",
        "nonsense://me:secret99@host",
    ],
)
def test_no_secret_of_an_address_reaches_a_screen_a_log_or_a_file(
    tree: Params,
    uri: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: Caplog,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    result = track(tree)
    assert "was not brought up to date: " in caplog.text
    texts = [*capfd.readouterr(), caplog.text, str(result)]
    texts += [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    for secret in ("p@ss", "p%40ss", "secret99"):
        assert not any(secret in text for text in texts)


def test_make_ui_prints_the_address_without_its_password() -> None:
    env = {**os.environ, "MLFLOW_TRACKING_URI": "http://me:p@ss@host:5000"}
    command = [sys.executable, "-m", "harness.tracking"]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "http://host:5000\n"
    recipe = (ROOT / "Makefile").read_text()
    assert 'echo "ui: open $$($(PY) -m harness.tracking)"' in recipe
    assert not re.search(r"echo .*MLFLOW_TRACKING_URI|--backend-store-uri", recipe)
