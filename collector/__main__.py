"""`python -m collector` is `orphaned`."""

from collector.cli import main

if __name__ == "__main__":
    main()
