"""Where rows are read: the fields of a source, of a pool and of a benchmark alike."""

from typing import Annotated, Literal

from pydantic import Field

from harness.params.limits import Count, Limits
from harness.params.section import Section

Share = Annotated[float, Field(gt=0, lt=1, strict=True)]
RowCount = Count | Share | Literal["all"]
Take = Literal["random", "first"]
OnBadRow = Literal["error", "drop"]


class Source(Section):
    """Where rows are read: a local path, ``shared:<path>``, a hub id, or ``lab``.

    ``where`` keeps the rows whose field equals the value, or is a list that contains it.
    """

    path: str
    where: dict[str, str | int | bool] = Field(default={})
    on_bad_row: OnBadRow | None = None  # None: as the section says
    limits: Limits | None = None  # None: as the section says
    revision: str | None = None  # hub only
    config: str | None = None  # hub only
    split: str = "train"  # hub only
    licence: str = "not stated"
