"""How large a file of rows may be: a small one can unpack to more than fits in memory."""

from typing import Literal

from harness.common.errors import InputError
from harness.params.section import Positive as Count
from harness.params.section import Section

MB = 10**6


class Limits(Section):
    """The most that is read of one file; reading stops at the first excess."""

    file_mb: Count = 1000  # unpacked, in millions of bytes
    row_mb: Count = 16  # a line, or an element of a list
    rows: Count = 2_000_000  # lines, blank ones too

    def check(
        self,
        limit: Literal["file_mb", "rows"],
        amount: float,
        name: str,
        *,
        is_total: bool = True,
        what: str = "file",
    ) -> None:
        """Raise InputError where an amount exceeds a limit; not ``is_total``: the amount so far."""
        most: int = getattr(self, limit)
        if amount > most:
            unit = "rows" if limit == "rows" else "MB unpacked"
            rule = f"{int(amount):,} {unit}, over {most:,}" if is_total else f"over {most:,} {unit}"
            remedy = f"raise prepare.limits.{limit}, or give a smaller {what}"
            raise InputError(f"{name}: {rule}; {remedy}")


DEFAULT = Limits()
