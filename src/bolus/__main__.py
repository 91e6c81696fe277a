"""`python -m bolus` is the command line."""

from bolus.apps.cli import main

if __name__ == "__main__":
    main()
