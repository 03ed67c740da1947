"""The four planted faults of a response, and the small edits that make a near-duplicate."""

import numpy as np

from harness.lab.families import Family, Subject, pick, shuffled


def truncated(response: str, rng: np.random.Generator) -> str:
    """The first quarter to half of the words, at least one."""
    words = response.split(" ")
    most = max(1, len(words) // 2)
    return " ".join(words[: int(rng.integers(max(1, len(words) // 4), most + 1))])


def garbled(response: str, rng: np.random.Generator) -> str:
    """The words in another order, with the letters of each shuffled; never the response itself."""
    while True:
        words = ["".join(shuffled(list(word), rng)) for word in response.split(" ")]
        text = " ".join(shuffled(words, rng))
        if text != response:
            return text


def off_topic(families: list[Family], family: Family, rng: np.random.Generator) -> str:
    """The right answer to some question of another family."""
    other = pick([f for f in families if f is not family], rng)
    skill = pick(other.skills, rng)
    return other.answer(skill, pick(other.subjects(skill, "pool"), rng))


def faulty(
    kind: str,
    families: list[Family],
    family: Family,
    skill: str,
    subject: Subject,
    rng: np.random.Generator,
) -> str:
    """A response to the question with a fault of that kind."""
    right = family.answer(skill, subject)
    if kind == "wrong":
        return family.wrong(skill, subject, rng)
    if kind == "truncated":
        return truncated(right, rng)
    if kind == "garbled":
        return garbled(right, rng)
    return off_topic(families, family, rng)


def near_copy(prompt: str, rng: np.random.Generator) -> str:
    """The prompt with one small edit: a repeated or missing letter, case, spaces, punctuation."""
    at = int(rng.integers(1, len(prompt) - 1))
    edits = (
        lambda: prompt[0].swapcase() + prompt[1:],
        lambda: prompt[:-1] + pick(["", "!", " .", "?!", " ...", ".."], rng),
        lambda: prompt[:at] + prompt[at] + prompt[at:] if prompt[at].isalpha() else prompt + " ",
        lambda: prompt[:at] + prompt[at + 1 :] if prompt[at].islower() else "  " + prompt,
        lambda: prompt.replace(" the ", " teh ", 1),
        lambda: prompt.upper() if len(prompt) < 60 else prompt + "?",
    )
    return pick(edits, rng)()
