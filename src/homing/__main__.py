"""``python -m homing``: the command line, if the script is not on the path."""

from homing.cli import main

if __name__ == "__main__":
    main()
