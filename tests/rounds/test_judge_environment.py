"""What the judge's client reads of the environment: named before a model is trained."""

from pathlib import Path

import pytest

from harness.common.errors import InputError
from harness.feedback.judge.client import Endpoint, read_key
from harness.feedback.judge.judge import judge
from harness.params.judge import OPENAI, JudgeParams
from tests.helpers.judge_server import KEY, message_of, pairs, rated, serving
from tests.helpers.round_selections import KMQ, select

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for name in (*PROXIES, "OPENAI_BASE_URL", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


BROKEN = [
    ("OPENAI_BASE_URL", "http://[::1"),
    ("OPENAI_BASE_URL", "http://127.0.0.1:99999/v1"),
    ("OPENAI_BASE_URL", "nonsense"),
    ("OPENAI_BASE_URL", "ftp://host/v1"),
    ("OPENAI_BASE_URL", "http://ho st/v1"),
    ("HTTPS_PROXY", "foo://bar"),
    ("http_proxy", "http://host:99999"),
    ("ALL_PROXY", "http://[::1"),
]


@pytest.mark.parametrize(("name", "value"), BROKEN)
def test_a_variable_that_is_not_a_url_is_named_before_a_round(
    tree: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    item = {**KMQ, "scorer": "judge"}
    with pytest.raises(InputError) as error:
        select(tree, selections_rounds={"sel": item})
    text = message_of(error)
    assert f"judge: the environment variable {name} is {value!r}, not a " in text
    assert "export another" in text
    assert not list(tree.glob(".store/scratch/rounds/*/*_train_*"))


def test_a_password_in_a_variable_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://me:hush@host:99999/v1?key=hush")
    with pytest.raises(InputError, match="OPENAI_BASE_URL") as error:
        Endpoint(JudgeParams(model="m"), read_key(JudgeParams(model="m")))
    assert "hush" not in message_of(error)


@pytest.mark.parametrize("value", ["", " "])
def test_what_is_set_but_empty_counts_as_unset(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str
) -> None:
    for name in (*PROXIES, "OPENAI_BASE_URL"):
        monkeypatch.setenv(name, value.strip() if name in PROXIES else value)
    params = JudgeParams(model="m")
    assert params.endpoint is None
    assert Endpoint(params, KEY).url == OPENAI
    with serving(lambda place, seen: rated("[[3]]")) as server:
        params = JudgeParams(model="m", base_url=server.url)
        assert judge(pairs(1), params, tmp_path / "a.jsonl").scores.tolist() == [3.0]


def test_proxies_that_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("localhost:3128", "http://me:hush@localhost:3128/"):
        monkeypatch.setenv("HTTPS_PROXY", value)
        assert Endpoint(JudgeParams(model="m"), KEY).url == OPENAI
