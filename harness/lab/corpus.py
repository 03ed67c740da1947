"""The pretraining text: statements of every family, and questions without answers."""

import numpy as np

from harness.lab.families import Family, dress, pick
from harness.lab.randomness import stream
from harness.params.lab import LabParams

# Shares of the documents. A document of questions is about twice as long as one of statements.
SHARES = {
    "knowledge": 0.09,
    "arithmetic": 0.17,
    "continuation": 0.10,
    "science": 0.09,
    "misconceptions": 0.12,
    "code": 0.07,
    "questions": 0.36,
}


def make_corpus(families: list[Family], params: LabParams) -> list[tuple[str, str]]:
    """Documents as (text, source).

    No document joins a question to its answer: fine-tuning has to teach that. A question is
    followed by its subject and by the same question in other words. So the model can read a
    question's subject and knows which wordings are alike, as one pretrained on real text would, but
    not the words in which the answer is stated.
    """
    rng = stream(params.seed, "pretraining")
    by_name = {family.name: family for family in families}
    sources = list(SHARES)
    documents: list[tuple[str, str]] = []
    for number in rng.choice(len(sources), size=params.documents, p=list(SHARES.values())):
        source = sources[int(number)]
        if source in by_name:
            text = ("\n" if source == "code" else " ").join(by_name[source].statements(rng))
        else:
            text = _questions(families, rng)
        documents.append((text, source))
    return documents


def _questions(families: list[Family], rng: np.random.Generator) -> str:
    """A question without its answer: its subject, and the same question in other words."""
    # Two numbers in order are harder to copy than one name: they get a double share.
    family = pick([f for f in families for _ in range(2 if f.name == "arithmetic" else 1)], rng)
    skill = pick(family.skills, rng)
    subject = pick(family.subjects(skill, "pool") + family.subjects(skill, "test"), rng)
    question, again = (family.ask(skill, subject, rng) for _ in range(2))
    topic = " ".join(str(part) for part in subject)
    return (
        f"### Instruction:\n{dress(question, rng)}\n\n### Topic:\n{topic}\n\n### Similar:\n{again}"
    )
