"""The lab: a generated world with planted truth, in which the selection of data matters."""

from harness.lab.params import LabParams
from harness.lab.world import World, build_preferences, build_world

__all__ = ["LabParams", "World", "build_preferences", "build_world"]
