"""What the base model is pretrained on: statements of every family, and text without answers."""

import numpy as np

from harness.lab.families import Family, dress, pick
from harness.lab.params import LabParams
from harness.lab.randomness import stream

# Shares of the documents. A document of questions is about twice as long as one of statements.
SHARES = {
    "knowledge": 0.10,
    "arithmetic": 0.19,
    "continuation": 0.10,
    "science": 0.10,
    "misconceptions": 0.13,
    "code": 0.05,
    "questions": 0.33,
}
QUESTIONS = 3  # a document


def make_corpus(families: list[Family], params: LabParams) -> list[tuple[str, str]]:
    """Documents as (text, source).

    No document joins a question to its answer: that is what fine-tuning has to teach. Questions
    stand together with others of the same sub-skill, each followed by what it is about. So the
    model knows which wordings are alike and can read a question's subject, as one pretrained on
    real text would, but not in which words the answer to it is stated.
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
            text = _questions(families, rng)
        documents.append((text, source))
    return documents


def _questions(families: list[Family], rng: np.random.Generator) -> str:
    """Questions of one sub-skill, not answered: only what each is about is said."""
    family = pick(families, rng)
    skill = pick(family.skills, rng)
    subjects = family.subjects(skill, "pool") + family.subjects(skill, "test")
    parts: list[str] = []
    for place in range(QUESTIONS):
        subject = pick(subjects, rng)
        question = family.ask(skill, subject, rng)
        question = question if place else dress(question, rng)
        topic = " ".join(str(part) for part in subject)
        parts.append(f"### Instruction:\n{question}\n\n### Topic:\n{topic}")
    return "\n\n".join(parts)
