"""Ways to vary training examples by chance, batch by batch, on the device. Validation sees none of them."""

from __future__ import annotations

from engine.catalog.entry import Augmentation
from engine.catalog.fields import Bool, Float, Int

_SHARE = "Chance that an example is varied at all."


def _chance(default: float) -> Float:
    return Float("p", default, lo=0, hi=1, doc=_SHARE)


FLIP = Augmentation(
    id="flip",
    title="Flip",
    doc="Mirror pictures, left to right or upside down. Not for digits and letters: a mirrored 2 is no 2.",
    source="after torchvision.transforms.RandomHorizontalFlip",
    reads=("image",),
    fields=(
        Float("horizontal", 0.5, lo=0, hi=1, doc="Chance that left and right change places."),
        Float("vertical", 0.0, lo=0, hi=1, doc="Chance that top and bottom change places."),
    ),
)
CROP = Augmentation(
    id="crop",
    title="Crop and zoom",
    doc="Cut out a part of each picture and bring it back to full size: `smallest` is the least share of its area.",
    source="after torchvision.transforms.RandomResizedCrop; Szegedy et al. 2015, arXiv:1409.4842",
    reads=("image",),
    fields=(
        Float("smallest", 0.6, lo=0.01, hi=1, doc="Least share of the area that is kept."),
        Float(
            "aspect", 1.33, lo=1, hi=4, doc="Most that the part's sides are stretched against one another."
        ),
        _chance(1.0),
    ),
)
SHIFT = Augmentation(
    id="shift",
    title="Shift",
    doc="Move pictures by whole pixels, up to `pixels` each way; what comes in at the edge is zero, or mirrored.",
    source="after torchvision.transforms.RandomCrop(padding); He et al. 2015, arXiv:1512.03385",
    reads=("image",),
    fields=(
        Int("pixels", 4, lo=0, hi=4096, unit="px", doc="Farthest that a picture moves, each way."),
        Bool("mirror", False, doc="Fill the edge with the mirrored picture instead of zero."),
    ),
)
ROTATE = Augmentation(
    id="rotate",
    title="Rotate",
    doc="Turn pictures about their middle by up to `degrees` either way; corners that come in are zero.",
    source="after torchvision.transforms.RandomRotation",
    reads=("image",),
    fields=(
        Float("degrees", 10.0, lo=0, hi=180, unit="°", doc="Farthest that a picture turns."),
        _chance(1.0),
    ),
)
COLOUR = Augmentation(
    id="colour",
    title="Colour",
    doc="Change brightness, contrast and saturation, each by a factor drawn from 1 − amount … 1 + amount.",
    source="after torchvision.transforms.ColorJitter",
    reads=("image",),
    fields=(
        Float("brightness", 0.2, lo=0, hi=1, doc="Amount for brightness."),
        Float("contrast", 0.2, lo=0, hi=1, doc="Amount for contrast."),
        Float("saturation", 0.2, lo=0, hi=1, doc="Amount for saturation, of pictures of three channels."),
    ),
)
CUTOUT = Augmentation(
    id="cutout",
    title="Cutout",
    doc="Set a square of each picture to zero, so that no single part decides.",
    source="DeVries and Taylor 2017, arXiv:1708.04552",
    reads=("image",),
    fields=(
        Int("size", 8, lo=1, hi=4096, unit="px", doc="Side of the square; it may reach over the edge."),
        _chance(1.0),
    ),
)
MIXUP = Augmentation(
    id="mixup",
    title="Mixup",
    doc="Blend each example and its target with another of the batch, by a share drawn from Beta(alpha, alpha). Needs a "
    "loss that takes shares of classes (CrossEntropyLoss) or values.",
    source="Zhang, Cisse, Dauphin and Lopez-Paz 2017, arXiv:1710.09412",
    reads=("image", "table", "series", "array", "points"),
    fields=(
        Float(
            "alpha",
            0.2,
            lo=0,
            hi=10,
            open_lo=True,
            doc="Larger blends more evenly; 1 draws all shares alike.",
        ),
    ),
)
NOISE = Augmentation(
    id="noise",
    title="Noise",
    doc="Add normal noise to every number that the network receives.",
    source="Bishop 1995, Training with noise is equivalent to Tikhonov regularization",
    reads=("image", "table", "series", "array", "points"),
    fields=(
        Float("std", 0.05, lo=0, hi=10, doc="Deviation of the noise, in what the network receives."),
        _chance(1.0),
    ),
)
