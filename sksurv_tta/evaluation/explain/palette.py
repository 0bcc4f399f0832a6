"""One colour for each prototype, the same in figures, tables and annotations of slides."""

__all__ = ["PROTOTYPE_COLOURS", "prototype_colour"]

#: Found by a search for 32 colours that lie far apart (CIE 1976) for normal sight and, as simulated by
#: Machado, Oliveira and Fernandes (2009), for people who lack one kind of cones. Those that come first lie
#: farthest apart. 32 colours can be told apart side by side; nobody can name each of them, so figures
#: number the prototypes as well.
PROTOTYPE_COLOURS = (
    "#005AA5", "#F01E00", "#00FFE1", "#F0F000", "#4B0000", "#B400FF", "#C3695A", "#E1A5FF",
    "#2D1E3C", "#FF2D96", "#5A0069", "#A5FF96", "#B4001E", "#FF1EF0", "#78C387", "#000F87",
    "#B41E5A", "#0000FF", "#690FC3", "#A5873C", "#5A96FF", "#C3C3B4", "#00D269", "#FF781E",
    "#B40FB4", "#C3E1FF", "#0F8778", "#8787C3", "#872D69", "#F0C31E", "#2D4B00", "#5A3C3C",
)  # fmt: skip


def prototype_colour(prototype: int) -> str:
    """Colour of a prototype as "#RRGGBB"; beyond the 32nd they repeat.

    Parameters
    ----------
    prototype : int
        Counted from 0.
    """
    return PROTOTYPE_COLOURS[prototype % len(PROTOTYPE_COLOURS)]
