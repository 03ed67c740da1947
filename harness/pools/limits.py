"""How large a file of rows may be: a small one can unpack to more than a machine holds."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MB = 10**6
Count = Annotated[int, Field(ge=1, strict=True)]


class Limits(BaseModel):
    """What is read of one file at most; the first thing beyond it ends the reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file_mb: Count = 1000  # unpacked, in millions of bytes
    row_mb: Count = 16  # a line, or an element of a list
    rows: Count = 2_000_000  # lines, blank ones too


DEFAULT = Limits()
