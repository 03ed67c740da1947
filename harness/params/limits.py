"""How large a file of rows may be: a small one can unpack to more than a machine holds."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.common.errors import InputError

MB = 10**6
Count = Annotated[int, Field(ge=1, le=10**12, strict=True)]


class Limits(BaseModel):
    """What is read of one file at most; the first thing beyond it ends the reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file_mb: Count = 1000  # unpacked, in millions of bytes
    row_mb: Count = 16  # a line, or an element of a list
    rows: Count = 2_000_000  # lines, blank ones too

    def check(
        self,
        limit: Literal["file_mb", "rows"],
        found: float,
        name: str,
        *,
        is_total: bool = True,
        what: str = "file",
    ) -> None:
        """Raise InputError where more was found than a limit; not ``is_total``: so far."""
        most: int = getattr(self, limit)
        if found > most:
            unit = "rows" if limit == "rows" else "MB unpacked"
            rule = f"{int(found):,} {unit}, over {most:,}" if is_total else f"over {most:,} {unit}"
            remedy = f"raise prepare.limits.{limit}, or give a smaller {what}"
            raise InputError(f"{name}: {rule}; {remedy}")


DEFAULT = Limits()
