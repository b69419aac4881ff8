"""`python -m framesift` is the command line."""

from framesift.cli import main

if __name__ == "__main__":
    main()
