"""``python -m villagemap`` and the command ``villagemap``."""

from villagemap.cli.main import main

if __name__ == "__main__":
    main()
