"""Levels of detail: how much of a card is shown, from how near."""

#: Everything; id and fields; the id alone; coloured rectangles.
NEAR, MIDDLE, COARSE, FAR = 3, 2, 1, 0
