"""Hand-made mutants: each drops one guard, and a named test must notice."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """One guard that is dropped: `old` stands exactly once in the file at `path`.

    `killed_by` is the pytest node that must fail, by what it asserts or by what is raised in
    it. With `may_hang` it may run into the time limit instead.
    """

    name: str
    path: str
    old: str
    new: str
    killed_by: str
    may_hang: bool = False

    def applied_to(self, text: str) -> str:
        """Give the file's text with the guard dropped."""
        found = text.count(self.old)
        if found != 1:
            raise ValueError(f"{self.name!r}: {self.path} has its text {found} times, not once")
        return text.replace(self.old, self.new)
