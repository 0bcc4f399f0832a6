"""What a target of the fuzzer is."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Target:
    """A folder, the files in it to damage, and how to look at it."""

    folder: Any
    victims: tuple[str, ...]
    look: Any
    may_alter: bool = False
