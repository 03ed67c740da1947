"""The bytes of a file, unzipped, read on demand and within the limits."""

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, Self

from harness.common.errors import InputError
from harness.params.limits import DEFAULT, MB, Limits
from harness.pools.raw_rows import BadRowError

BOM = b"\xef\xbb\xbf"
GZIP = b"\x1f\x8b"
BLANK = b" \t\r\n"


class Unpacked:
    """A file being read; ``name`` is what the user calls it, ``before`` bytes of others count too.

    Raises InputError for a file that cannot be read, is damaged, or exceeds ``limits``.
    """

    def __init__(self, path: Path, name: str, limits: Limits = DEFAULT, before: int = 0) -> None:
        self.path, self.name, self.limits = path, name, limits
        self.bytes, self.rows = before, 0  # read so far

    def __enter__(self) -> Self:
        try:
            size = self.path.stat().st_size
            self.limits.check("file_mb", size / MB, self.name, is_total=False)
            self._raw = self.path.open("rb")
            self.zipped = self._raw.read(len(GZIP)) == GZIP
            self._raw.seek(0)
        except OSError as error:
            self._unreadable(error)
        self._stream: Any = gzip.GzipFile(fileobj=self._raw) if self.zipped else self._raw
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()
        self._raw.close()

    def read(self, size: int) -> bytes:
        """At most ``size`` of the next bytes; none at the end."""
        return self._take(self._stream.read, size)

    def read_some(self, size: int) -> bytes:
        """Like `read`, from one look into the file: bytes before damage can still be read."""
        return self._take(self._stream.read1, size)

    def lines(self) -> Iterator[tuple[int, bytes | None]]:
        """Each line, line end included, with its number; None for one over the limit of a row.

        Lines end at line feeds only: JSON strings may contain U+2028 and the like.
        """
        most = self.limits.row_mb * MB
        while line := self._take(self._stream.readline, most + 1):
            if b"\0" in line:
                self.refuse_binary(self.rows + 1)
            if self.rows == 0:
                line = line.removeprefix(BOM)
            self.count_row()
            yield self.rows, line if len(line) <= most else None
            while len(line) > most and not line.endswith(b"\n"):
                line = self._take(self._stream.readline, most + 1)

    def text(self) -> io.TextIOWrapper:
        """The file as text; reading may raise UnicodeDecodeError."""
        return io.TextIOWrapper(io.BufferedReader(_Raw(self)), encoding="utf-8-sig", newline="")

    def again_before(self, size: int) -> str:
        """All that was read but for the last ``size`` bytes, read again; a character a byte."""
        with Unpacked(self.path, self.name, self.limits) as again:
            return again.read(self.bytes - size).removeprefix(BOM).decode("latin-1")

    def text_lines(self) -> Iterator[str]:
        """Each line as CSV has it: some end at a carriage return. May raise UnicodeDecodeError."""
        most = self.limits.row_mb * MB
        text = self.text()
        while line := text.readline(most + 1):
            self.count_row()
            if len(line) > most:
                bad = BadRowError.too_large(self.limits.row_mb)
                bad.stop(self.name, self.rows, optional=False)
            yield line

    def count_row(self) -> None:
        """Count a row; InputError where there are more than the limit."""
        self.rows += 1
        self.limits.check("rows", self.rows, self.name, is_total=False)

    def refuse_binary(self, row: int) -> NoReturn:
        """Raise InputError for a file that is not text."""
        rule = "binary, not text; give JSON, JSONL or Parquet"
        raise InputError(f"{self.name}, row {row}: {rule}")

    def _take(self, method: Callable[[int], bytes], size: int) -> bytes:
        where = f"after row {self.rows}; copy or download it again"
        try:
            data = method(size)
        except EOFError:
            raise InputError(f"{self.name}: the gzip file is cut off {where}") from None
        except (gzip.BadGzipFile, zlib.error):
            raise InputError(f"{self.name}: the gzip file is damaged {where}") from None
        except OSError as error:
            self._unreadable(error)
        self.add(len(data))
        return data

    def add(self, size: int) -> None:
        """Count bytes; InputError where there are more than the limit."""
        self.bytes += size
        self.limits.check("file_mb", self.bytes / MB, self.name, is_total=False)

    def _unreadable(self, error: OSError) -> NoReturn:
        rule = f"cannot be read ({error.strerror})"
        raise InputError(f"{self.name}: {rule}; make it readable, or copy it again") from None


class _Raw(io.RawIOBase):
    """The file being read, for the standard library's readers."""

    def __init__(self, stream: Unpacked) -> None:
        self._of = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401  (a writable buffer of any type)
        data = self._of.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
