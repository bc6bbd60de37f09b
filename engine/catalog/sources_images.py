"""Pictures from files."""

from __future__ import annotations

from engine.catalog.entry import Source
from engine.catalog.fields import Bool, Option, Path, Size

_STANDARDISE_CHANNELS = Bool(
    "standardise",
    False,
    doc="Bring each channel to mean 0 and deviation 1, measured on up to 2,000 training pictures; else 0 … 1.",
)


def _folder(what: str) -> Path:
    return Path(
        "folder",
        None,
        optional=True,
        folder=True,
        doc=f"Folder with {what}; empty: LAYERLAB_DATA, then the user's data folder.",
    )


MNIST = Source(
    id="mnist",
    title="MNIST, 28 × 28",
    doc="70,000 handwritten digits of 28 × 28 pixels, ten classes, scaled to 0 … 1: 55,000 to train on, 5,000 to validate, "
    "10,000 to test. `folder` holds the four IDX files, gzipped or not.",
    source="LeCun, Cortes and Burges; IDX files",
    kind="image",
    fields=(_folder("the four IDX files"),),
)
FASHION_MNIST = Source(
    id="fashion_mnist",
    title="Fashion-MNIST, 28 × 28",
    doc="70,000 pictures of clothes of 28 × 28 pixels, ten classes, in MNIST's form: 55,000 to train on, 5,000 to "
    "validate, 10,000 to test.",
    source="Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747; IDX files",
    kind="image",
    fields=(_folder("the four IDX files"),),
)
EMNIST = Source(
    id="emnist",
    title="EMNIST, 28 × 28",
    doc="Handwritten letters and digits of 28 × 28 pixels in MNIST's form; `part` says which set. The files' pictures "
    "lie on their side and are set upright.",
    source="Cohen, Afshar, Tapson and van Schaik 2017, arXiv:1702.05373; IDX files",
    kind="image",
    fields=(
        Option(
            "part",
            "letters",
            options=("letters", "balanced", "digits", "mnist", "byclass", "bymerge"),
            doc="Which of the six sets.",
        ),
        _folder("the files emnist-PART-train-images-idx3-ubyte and so on"),
    ),
)
IDX = Source(
    id="idx",
    title="IDX files",
    doc="Any pictures and labels in IDX files of bytes, gzipped or not: `images` has two dimensions or more for each "
    "example, `labels` one number each. Test files may be left out.",
    source="LeCun, Cortes and Burges; IDX files",
    kind="image",
    fields=(
        Path("images", None, optional=True, doc="IDX file of the examples."),
        Path("labels", None, optional=True, doc="IDX file of their class numbers."),
        Path("test_images", None, optional=True, doc="IDX file of examples to test on; may be left out."),
        Path("test_labels", None, optional=True, doc="Their class numbers."),
    ),
)
CIFAR = Source(
    id="cifar",
    title="CIFAR, 32 × 32 in colour",
    doc="60,000 colour pictures of 32 × 32 pixels in the binary version's files (data_batch_1.bin … test_batch.bin; "
    "train.bin and test.bin for CIFAR-100), scaled to 0 … 1: 45,000 to train on, 5,000 to validate, 10,000 to test.",
    source="Krizhevsky 2009; the binary version",
    kind="image",
    fields=(
        Option("version", "10", options=("10", "100", "100 coarse"), doc="How many classes."),
        _STANDARDISE_CHANNELS,
        _folder("the .bin files"),
    ),
)
IMAGE_FOLDER = Source(
    id="image_folder",
    title="Folder of pictures",
    doc="A folder with a folder of pictures for each class (png, jpeg, webp, bmp, gif); or with train and, where there "
    "are, validation and test, that each hold such. Pictures are brought to one size once and kept beside the "
    "program's other caches, from where they are read even if they are larger than memory.",
    source="layerlab",
    kind="image",
    fields=(
        Path("folder", None, optional=True, folder=True, doc="The folder."),
        Size(
            "size", (32, 32), lo=1, hi=4096, unit="px", doc="Height and width that pictures are brought to."
        ),
        Option("colours", "rgb", options=("rgb", "grey"), doc="Three channels, or one."),
        Option(
            "fit",
            "crop",
            options=("crop", "stretch", "pad"),
            doc="How another shape fits: its middle is cut out, it is stretched, or black bars are added.",
        ),
        _STANDARDISE_CHANNELS,
    ),
)
