"""One of the processes that a launcher starts: calls what ``launched`` left in a folder."""

import logging
import pickle
import sys
import traceback
from pathlib import Path

from harness.common.disk_errors import ending_in_one_line
from harness.common.errors import InputError, one_line
from harness.launching.launch import CALL, RESULT
from harness.launching.ranks import join, leave, rank


def main() -> None:
    """Call the function; the first of the processes writes what it returns."""
    folder = Path(sys.argv[1])
    with ending_in_one_line():
        join()
        logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
        # The others would say the same.
        logging.getLogger("harness").setLevel(logging.ERROR if rank() else logging.INFO)
        function, arguments = pickle.loads((folder / CALL).read_bytes())
        try:
            result = function(**arguments)
        except InputError:
            raise
        except Exception as error:
            traceback.print_exc()
            reason = f"{type(error).__name__}: {one_line(error)}"
            raise InputError(reason) from None  # a launcher's own last line says nothing
        if not rank():
            (folder / RESULT).write_bytes(pickle.dumps(result))
        leave()


if __name__ == "__main__":
    main()
