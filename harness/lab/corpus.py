"""What the base model is pretrained on: statements of every family, and text without answers."""

import numpy as np

from harness.lab.families import Family, dress, pick, read_words
from harness.lab.params import LabParams
from harness.lab.randomness import stream

# Shares of the documents. A family of facts has many more statements to learn than the two others.
SHARES = {
    "knowledge": 0.09,
    "arithmetic": 0.16,
    "continuation": 0.10,
    "science": 0.09,
    "misconceptions": 0.12,
    "code": 0.06,
    "question": 0.30,
    "copy": 0.08,
}


def make_corpus(families: list[Family], params: LabParams) -> list[tuple[str, str]]:
    """Documents as (text, source).

    No document joins a question to its answer: that is what fine-tuning has to teach. Questions
    stand alone, and none is about a subject of the test.
    """
    rng = stream(params.seed, "pretraining")
    by_name = {family.name: family for family in families}
    sources = list(SHARES)
    drawn = rng.choice(len(sources), size=params.documents, p=np.array(list(SHARES.values())))
    documents: list[tuple[str, str]] = []
    for number in drawn:
        source = sources[int(number)]
        if source in by_name:
            joint = "\n" if source == "code" else " "
            text = joint.join(by_name[source].statements(rng))
        else:
            text = _question(families, rng) if source == "question" else _copy(families, rng)
        documents.append((text, source))
    return documents


def _question(families: list[Family], rng: np.random.Generator) -> str:
    """A question of the pool's kind, not answered: only what it is about is said."""
    family = pick(families, rng)
    skill = pick(family.skills, rng)
    subject = pick(family.subjects(skill, "pool"), rng)
    topic = " ".join(str(part) for part in subject)
    return f"### Instruction:\n{dress(family.ask(skill, subject, rng), rng)}\n\n### Topic:\n{topic}"


def _copy(families: list[Family], rng: np.random.Generator) -> str:
    """Words and numbers said twice: where a model learns to take over what it has read."""
    names = read_words("arithmetic")["names"]
    entities = [name for f in families for name in getattr(f, "entities", ())]
    words: list[str] = []
    for _ in range(int(rng.integers(4, 16))):
        chance = rng.random()
        if chance < 0.5:
            words.append(str(int(rng.integers(0, 100))))
        else:
            words.append(pick(entities if chance < 0.85 else names, rng))
    line = " ".join(words)
    return f"Note: {line}. Again: {line}."
