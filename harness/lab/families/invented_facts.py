"""Families of invented facts: entities, relations, and a value for each pair of them."""

from typing import Any

import numpy as np

from harness.lab.families import Family, Subject, halves, pick, pick_other, read_words, shuffled


class Facts(Family):
    """Facts (entity, relation, value); a sub-skill is a relation, a subject an entity as a 1-tuple.

    Pretraining states every fact, naming the relation in one fixed form; questions ask for it in
    other words. Fine-tuning shows which relation a wording asks for; pretraining has the value.
    """

    def __init__(self, name: str, skills: int, rng: np.random.Generator) -> None:
        words = read_words(name)
        self.name = name
        self.skills = list(words["skills"])[:skills]
        self._words = words["skills"]
        self.entities: list[str] = list(words["entities"])
        self.parts = dict.fromkeys(self.skills, halves([(e,) for e in self.entities], rng))
        self.values = {skill: self._deal(skill, rng) for skill in self.skills}

    def _deal(self, skill: str, rng: np.random.Generator) -> dict[str, str]:
        """Give each value to equally many entities, so that none is likelier than another."""
        values = self._words[skill]["values"]
        repeated = [values[i % len(values)] for i in range(len(self.entities))]
        return dict(zip(self.entities, shuffled(repeated, rng), strict=True))

    def say(self, skill: str, entity: str, value: str) -> str:
        """The declarative form of a fact, true or not."""
        return self._words[skill]["says"].format(e=entity, v=value)

    def ask(self, skill: str, subject: Subject, rng: np.random.Generator) -> str:
        """One of the relation's wordings."""
        return pick(self._words[skill]["asks"], rng).format(e=subject[0])

    def answer(self, skill: str, subject: Subject) -> str:
        """The fact as pretraining states it."""
        entity = str(subject[0])
        return self.say(skill, entity, self.values[skill][entity])

    def other_value(self, skill: str, entity: str, rng: np.random.Generator) -> str:
        """The relation with a value that is true of another entity."""
        value = pick_other(self._words[skill]["values"], self.values[skill][entity], rng)
        return self.say(skill, entity, value)

    def wrong(self, skill: str, subject: Subject, rng: np.random.Generator) -> str:
        """Another relation of the entity, or a value of another entity."""
        if rng.random() < 0.5:
            return self.answer(pick_other(self.skills, skill, rng), subject)
        return self.other_value(skill, str(subject[0]), rng)

    def statements(self, rng: np.random.Generator) -> list[str]:
        """Six facts about one entity."""
        entity = pick(self.entities, rng)
        return [self.state(pick(self.skills, rng), entity, rng) for _ in range(6)]

    def state(self, skill: str, entity: str, rng: np.random.Generator) -> str:
        """A sentence about one fact, as pretraining has it."""
        return self.answer(skill, (entity,))

    def options(self, skill: str, subject: Subject, rng: np.random.Generator) -> list[str]:
        """Three wrong options: two true but not asked for, one true of another entity."""
        others = shuffled([other for other in self.skills if other != skill], rng)[:2]
        wrong = [self.answer(other, subject) for other in others]
        return [*wrong, self.other_value(skill, str(subject[0]), rng)]

    def item(self, skill: str, subject: Subject, rng: np.random.Generator) -> dict[str, Any]:
        """Four choices in random order and the position of the right one."""
        right = self.answer(skill, subject)
        choices = shuffled([right, *self.options(skill, subject, rng)], rng)
        return {"choices": choices, "target": choices.index(right)}


class Misconceptions(Facts):
    """Facts, each with a popular error; the error is true of another animal.

    What marks the one or the other comes last: a base model that prefers a beginning, as it does
    after a header that it has not seen, then prefers neither.
    """

    def __init__(self, name: str, skills: int, rng: np.random.Generator) -> None:
        super().__init__(name, skills, rng)
        self.myths = {
            skill: {
                entity: pick_other(self._words[skill]["values"], self.values[skill][entity], rng)
                for entity in self.entities
            }
            for skill in self.skills
        }

    def answer(self, skill: str, subject: Subject) -> str:
        """What is true, marked as such."""
        entity = str(subject[0])
        return f"All {self.say(skill, entity, self.values[skill][entity])}, in fact."

    def myth(self, skill: str, entity: str) -> str:
        """What people say."""
        return f"All {self.say(skill, entity, self.myths[skill][entity])}, people say."

    def wrong(self, skill: str, subject: Subject, rng: np.random.Generator) -> str:
        """The popular error, or the truth about something else."""
        if rng.random() < 0.5:
            return self.answer(pick_other(self.skills, skill, rng), subject)
        return self.myth(skill, str(subject[0]))

    def state(self, skill: str, entity: str, rng: np.random.Generator) -> str:
        """Truth and error occur equally often."""
        if rng.random() < 0.5:
            return self.answer(skill, (entity,))
        return self.myth(skill, entity)

    def options(self, skill: str, subject: Subject, rng: np.random.Generator) -> list[str]:
        """The error asked about, the truth about another topic and the error about a third."""
        first, second = shuffled([other for other in self.skills if other != skill], rng)[:2]
        entity = str(subject[0])
        return [self.myth(skill, entity), self.answer(first, subject), self.myth(second, entity)]
