"""What is measured of archives: the names of the works, apart from the measuring, so that goals can name them too."""

from __future__ import annotations

from interop.bench.work import MIB_BYTES, MIB_PER_S, TMPFS, Work, size_text

SIZE_BYTES = 100 * MIB_BYTES
COPY = "plain copy through SHA-256"

IMPORT = Work(f"import an archive of {size_text(SIZE_BYTES)}", MIB_PER_S, place=TMPFS)
EXPORT = Work(f"export an archive of {size_text(SIZE_BYTES)}", MIB_PER_S, place=TMPFS)
AGAIN = Work(f"import an archive of {size_text(SIZE_BYTES)} that is here", MIB_PER_S, place=TMPFS, compared=False)
