"""Write the next migration from the difference between the models and a database migrated so far.

Usage: python scripts/new_migration.py 0003 "Say what it does"
Read the result before committing it: renames and data moves are never guessed.
"""

import sys
import tempfile
from pathlib import Path

from alembic import command

from gongshi.db.embedded import EmbeddedPostgres
from gongshi.node.migrate import configuration


def main() -> None:
    revision, message = sys.argv[1:]
    with tempfile.TemporaryDirectory() as directory, EmbeddedPostgres(Path(directory)) as postgres:
        settings = configuration(postgres.owner_url)
        command.upgrade(settings, "head")
        command.revision(settings, message=message, rev_id=revision, autogenerate=True)


if __name__ == "__main__":
    main()
