"""`python -m chiral`: the same as the `chiral` command."""

from __future__ import annotations

from chiral.cli.main import main

if __name__ == "__main__":
    main()
