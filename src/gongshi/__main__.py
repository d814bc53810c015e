"""`python -m gongshi` is the command line."""

from gongshi.cli import main

main()
