"""Keys and tokens: hidden in every message before it is cut, however others write them."""

import base64
import json
import os
import re
import subprocess
import sys
import urllib.parse
from pathlib import Path

import pytest

from harness.common.errors import InputError, hide, one_line, secrets, shown
from harness.feedback.judge.judge import judge
from harness.params.judge import JudgeParams
from pipeline.make.stage_logs import last_line
from tests.helpers.judge_server import KEY, Reply, failed, leaked, message_of, pairs, rated, serving
from tests.helpers.shell_repo import ROOT

TOKEN = "hf_Qz7/kW+3x&9pLm\"Tn'2Vb<Rc\\5Yd="
FORMS = {
    "plain": TOKEN,
    "percent": urllib.parse.quote(TOKEN, safe=""),
    "percent, lower case": urllib.parse.quote(TOKEN, safe="/").replace("%2B", "%2b"),
    "json": json.dumps({"authorization": f"Bearer {TOKEN}"}),
    "json of json": json.dumps(json.dumps(TOKEN)),
    "json with slashes": json.dumps(TOKEN).replace("/", "\\/"),
    "repr": repr({"Authorization": f"Bearer {TOKEN}"}),
    "repr of bytes": repr(TOKEN.encode()),
    **{
        f"basic {user}": "Basic " + base64.b64encode(f"{user}:{TOKEN}".encode()).decode()
        for user in ("", "a", "me", "user")
    },
    "basic of URLs": base64.urlsafe_b64encode(f"me:{TOKEN}".encode()).decode(),
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


@pytest.mark.parametrize("form", FORMS)
def test_a_token_is_hidden_however_it_is_written(form: str) -> None:
    result = hide(f"GET /: {FORMS[form]} refused")
    assert "***" in result
    assert result.startswith("GET /: ")
    assert result.endswith(" refused")
    assert not leaked(FORMS[form][-30:-6], result)  # in the midst of it
    assert not leaked(TOKEN, result)


@pytest.mark.parametrize("most", [20, 60, 100])
def test_the_beginning_of_a_key_survives_no_cut(most: int) -> None:
    for before in range(most + 10):
        text = f"{'x' * before} {KEY} and more of it {'y' * most}"
        for made in (
            shown(text, most),
            one_line(text, most),
            hide(text[:most]),
            hide(text[-most:]),
        ):
            assert not leaked(KEY, made), (before, made)
            assert len(made) <= max(most, 20) + 3


def test_a_library_that_cut_the_key_itself_gives_none_of_it_away() -> None:
    assert str(InputError(f"bad header {KEY[:-1]}")) == "bad header ***"
    assert str(InputError(f"...{KEY[5:]} is refused")) == "...*** is refused"


def test_secrets_are_known_by_variable_url_and_login(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(
        "MLFLOW_TRACKING_URI", "http://me:p@ss-word1@host:5000/x?access_token=t0ken123"
    )
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "another-one")
    monkeypatch.setenv("WANDB_API_KEY", "0123456789")
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "token"))
    (tmp_path / "token").write_text("hf_logged_in\n")
    wanted = {"p@ss-word1", "t0ken123", "another-one", "0123456789", "hf_logged_in", TOKEN, KEY}
    assert wanted <= secrets()
    monkeypatch.setenv("SSH_KEY", str(tmp_path / "token"))  # where one lies
    assert str(tmp_path / "token") not in secrets()
    monkeypatch.setenv("OPENAI_API_KEY", "unused")  # a word for a server that asks for no key
    assert hide("an unused word") == "an unused word"


@pytest.mark.parametrize("secret", ["p\udce4ssw\udcf6rdxx", "half \ud800 sign"])
def test_a_secret_that_is_not_utf8(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.common.errors.secrets", lambda: frozenset({secret}))
    raw = secret.encode("utf-8", "surrogatepass" if "\ud800" in secret else "surrogateescape")
    for form in (secret, json.dumps(secret)[1:-1], repr(raw)[2:-1], urllib.parse.quote(raw)):
        assert hide(f"at {form} it") == "at *** it"


def test_a_password_that_is_not_utf8_ends_no_program() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from harness.common.errors import InputError; print(InputError('ok'))",
        ],
        env={**os.environb, b"PYTHONPATH": os.fsencode(ROOT), b"DB_PASSWORD": b"p\xe4ssw\xf6rdxx"},
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("ok\n", "")


@pytest.mark.parametrize(
    "name", ["PGPASSWORD", "MYSQL_PWD", "GITHUB_PAT", "DB_PASSWORD", "HF_TOKEN", "api_key"]
)
def test_a_variable_is_secret_by_its_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "s3cret-word")
    assert hide("at s3cret-word") == "at ***"


@pytest.mark.parametrize("password", ["p@ss", "p/ss", "p?s#s/x", "word", "long/with/slashes"])
def test_a_password_in_a_url(password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://me:{password}@host:5432/db")
    assert hide(f"at {password}: no") == "at ***: no"
    assert hide("http://host:5432/db") == "http://host:5432/db"


def test_a_plain_word_is_not_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SORT_KEY", "timestamp")
    monkeypatch.setenv("OLDPWD", "/no/such/folder")
    assert hide("timestamp /no/such/folder") == "timestamp /no/such/folder"
    monkeypatch.setenv("DB_PASSWORD", "swordfish")
    assert hide("swordfish") == "***"


def test_an_answer_is_stored_as_it_came_but_for_the_judges_key(tmp_path: Path) -> None:
    with serving(lambda place, seen: rated(f"[[5]] {TOKEN} {KEY}")) as server:
        judge(pairs(1), JudgeParams(model="m", base_url=server.url), tmp_path / "a.jsonl")
    (line,) = (tmp_path / "a.jsonl").read_text().splitlines()
    assert json.loads(line)["text"] == f"[[5]] {TOKEN} ***"


@pytest.mark.parametrize("before", [0, 70, 80, 95])
def test_a_page_that_quotes_the_judges_key(tmp_path: Path, before: int) -> None:
    page = Reply(200, f"{'.' * before}{KEY} sent to a page".encode(), {"Content-Type": "text/html"})
    with serving(lambda place, seen: page) as server:
        params = JudgeParams(model="m", base_url=server.url, backoff_s=0.01, retries=0)
        with pytest.raises(InputError) as error:
            judge(pairs(1), params, tmp_path / "a.jsonl")
        assert "no completion: '" in message_of(error)


@pytest.mark.parametrize("before", [0, 250, 275, 290])
def test_an_error_that_quotes_the_judges_key(tmp_path: Path, before: int) -> None:
    with serving(lambda place, seen: failed(404, "." * before + KEY + "!" * 60)) as server:
        params = JudgeParams(model="m", base_url=server.url, backoff_s=0.01, retries=0)
        with pytest.raises(InputError) as error:
            judge(pairs(1), params, tmp_path / "a.jsonl")
        assert "HTTP 404: ." in message_of(error).replace("HTTP 404: ***", "HTTP 404: .")


LOAD = """
import logging, os, sys
from pathlib import Path
from harness.models.loading import loading
from harness.common.disk_errors import ending_in_one_line
with ending_in_one_line():
    quoted = "Authorization: Bearer " + os.environ["HF_TOKEN"]
    logging.basicConfig(level="DEBUG", stream=sys.stderr)
    logging.debug("GET / with %s", quoted)
    print("sent", quoted)
    if sys.argv[1:] == ["crash"]:
        raise RuntimeError(quoted)
    with loading(Path("folder"), "model"):
        raise OSError("." * 270 + quoted)
"""


@pytest.mark.parametrize("how", ["load", "crash"])
def test_a_library_that_quotes_the_token(how: str) -> None:
    """In its error, in its log, on the screen, in a traceback."""
    token = "hf_" + "Qz7kW3x9pLmTn2VbRc5Yd" * 2
    done = subprocess.run(
        [sys.executable, "-c", LOAD, how],
        env={**os.environ, "PYTHONPATH": str(ROOT), "HF_TOKEN": token},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert ("Traceback" in done.stderr) == (how == "crash")
    assert done.stdout == "sent Authorization: Bearer ***\n"
    assert "GET / with Authorization: Bearer ***\n" in done.stderr
    assert not leaked(token, done.stdout + done.stderr)


def test_no_message_is_cut_by_other_means() -> None:
    """A format such as ``{value!r:.80}`` cuts before anything is hidden."""
    sources = [path for folder in ("harness", "pipeline") for path in (ROOT / folder).rglob("*.py")]
    assert len(sources) > 100
    cuts = re.compile(r"\{[^{}]*:\.\d+\}")
    result = [f"{p.name}: {cut}" for p in sources for cut in cuts.findall(p.read_text())]
    assert result == []


def test_the_last_line_of_a_log(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(f"sent {'.' * 40} {KEY}\n")
    assert not leaked(KEY, last_line(tmp_path / "a.log"))
