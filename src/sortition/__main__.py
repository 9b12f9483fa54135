"""``python -m sortition`` is the command ``sortition``."""

from sortition.cli import main

if __name__ == "__main__":
    main()
