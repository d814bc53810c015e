"""The log: what happened, who did it and on which basis, provable to an outsider (design.md §8)."""
