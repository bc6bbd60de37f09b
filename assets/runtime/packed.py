"""Runs a network that was packed by Layerlab: one bit per binarized weight. Needs NumPy alone.

    from network import PackedNetwork     # this file, beside network.safetensors
    network = PackedNetwork("network.safetensors")
    scores = network(images)              # float32 [N, C, H, W] in, float32 [N, classes] out

or on the command line ``python network.py images.npy``.

The file is in safetensors format. Its metadata has a key "layerlab_packed": JSON with the steps of the
network in their order, each with "op", "inputs" (names of values), "output", and the names of its
tensors. Binarized weights are uint8 [outputs, ceil(K / 8)]: K bits per row, the first in the highest bit, 1
for +1 and 0 for -1. Values are float32 arrays, int32 arrays (sums of products of signs) or bool
arrays (signs: True for +1).

A product of signs is +1 where bits are equal, so a sum of K of them is K - 2 * popcount(a xor w).
Batch normalisation followed by a sign is one threshold per channel: True where the sum is at least
the threshold, or at most, as the channel's direction says.
"""

import hashlib
import json
import sys

import numpy as np

BITS_OF_16 = np.array([bin(number).count("1") for number in range(1 << 16)], np.uint8)


def popcount(words):
    """How many bits are set in each uint64."""
    if hasattr(np, "bitwise_count"):
        return np.bitwise_count(words)
    return BITS_OF_16[words.view(np.uint16)].reshape(*words.shape, 4).sum(-1, dtype=np.uint8)


def pack(signs):
    """Bool [..., K] to uint64 [..., ceil(K / 64)], padded with zeros."""
    return widen(np.packbits(signs, axis=-1))


def widen(octets):
    """Uint8 [..., B] to uint64 [..., ceil(B / 8)], padded with zeros."""
    padding = [(0, 0)] * (octets.ndim - 1) + [(0, -octets.shape[-1] % 8)]
    return np.ascontiguousarray(np.pad(octets, padding)).view(np.uint64)


def real(value):
    """A value of any kind as float32; signs as +1 and -1."""
    if value.dtype == bool:
        return np.where(value, np.float32(1), np.float32(-1))
    return value.astype(np.float32, copy=False)


def xnor(a, w, count, mask=None, at_once=1 << 22):
    """Sums of products of signs: packed [N, words] with packed [M, words] gives int32 [N, M].

    Only the bits that are set in `mask` [N, words] count, `count` (one number, or [N, 1]) of them.
    """
    different = np.empty((len(a), len(w)), np.int32)
    rows = max(1, at_once // max(1, w.size))
    for first in range(0, len(a), rows):
        part = slice(first, first + rows)
        unequal = a[part, None] ^ w
        if mask is not None:
            unequal &= mask[part, None]
        different[part] = popcount(unequal).sum(-1, dtype=np.int32)
    return (count - 2 * different).astype(np.int32)


def channels(vector, value):
    """A vector per channel, shaped so that it stretches over `value` [N, C, ...]."""
    return vector.reshape(-1, *[1] * (value.ndim - 2))


def windows(value, step):
    """Where each window of a sliding layer looks.

    Returns indices into the flattened space [places, points] (0 where a point lies outside), whether
    a point lies inside, and the output's space.
    """
    places, points, inside, space = [], [], [], []
    dims = value.shape[2:]
    for size, kernel, stride, padding, dilation in zip(
        dims, step["kernel_size"], step["stride"], step["padding"], step["dilation"], strict=True
    ):
        out = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
        at = np.arange(out)[:, None] * stride - padding + np.arange(kernel) * dilation
        # A border may repeat the value at the edge; else it is zero, and lies outside.
        inside.append((at >= 0) & (at < size) | (step.get("border") == "edge"))
        points.append(np.clip(at, 0, size - 1))
        space.append(out)
    index = np.zeros((1, 1), np.int64)
    valid = np.ones((1, 1), bool)
    for size, at, ok in zip(dims, points, inside, strict=True):
        index = index[:, None, :, None] * size + at[None, :, None, :]
        valid = valid[:, None, :, None] & ok[None, :, None, :]
        places = index.shape[0] * index.shape[1]
        index, valid = index.reshape(places, -1), valid.reshape(places, -1)
    return index * valid, valid, space


class PackedNetwork:
    """A network read from `path`; call it with arrays [N, ...]."""

    def __init__(self, path):
        with open(path, "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            entries = json.loads(file.read(size))
            data = file.read()
        metadata = entries.pop("__metadata__")
        if hashlib.sha256(data).hexdigest() != metadata["sha256"]:
            raise ValueError(f"{path} is damaged: its tensors are not those that were written.")
        header = json.loads(metadata["layerlab_packed"])
        if header["version"] != 1:
            raise ValueError(f"{path} is packed in version {header['version']}; this program reads 1.")
        types = {"U8": np.uint8, "F32": np.float32, "I32": np.int32, "BOOL": bool}
        self.tensors = {}
        for name, entry in entries.items():
            first, last = entry["data_offsets"]
            values = np.frombuffer(data[first:last], types[entry["dtype"]])
            self.tensors[name] = values.reshape(entry["shape"])
        self.header, self.steps = header, header["steps"]
        self.words = {
            step["weight"]: self.tensors[step["weight"]]
            for step in self.steps
            if step["op"] in ("binary_linear", "binary_conv")
        }
        self.words = {name: widen(octets) for name, octets in self.words.items()}
        self.unpacked = {}

    def __call__(self, *inputs):
        """Run the network; one output is an array, several are a dict by name."""
        values = {
            entry["name"]: np.asarray(array, np.float32)
            for entry, array in zip(self.header["inputs"], inputs, strict=True)
        }
        for step in self.steps:
            arguments = [values[name] for name in step["inputs"]]
            values[step["output"]] = getattr(self, step["op"])(step, *arguments)
        outputs = {name: real(values[value]) for name, value in self.header["outputs"].items()}
        return outputs if len(outputs) > 1 else next(iter(outputs.values()))

    # -------------------------------------------------------------------- products

    def linear(self, step, x):
        """Real weights."""
        y = real(x) @ self.tensors[step["weight"]].T
        return y + self.tensors[step["bias"]] if "bias" in step else y

    def binary_linear(self, step, x):
        """Weights of one bit: XNOR where the input is signs too, else sums and differences."""
        if x.dtype != bool:
            return real(x) @ self.signs(step).T
        rows = pack(x.reshape(-1, x.shape[-1]))
        return xnor(rows, self.words[step["weight"]], step["terms"]).reshape(*x.shape[:-1], -1)

    def signs(self, step):
        """A packed weight that real inputs meet, as float32 [outputs, K]; kept once it is unpacked."""
        name = step["weight"]
        if name not in self.unpacked:
            bits = np.unpackbits(self.tensors[name], axis=-1, count=step["terms"])
            self.unpacked[name] = real(bits.astype(bool))
        return self.unpacked[name]

    def conv(self, step, x):
        """Real weights over windows."""
        weight = self.tensors[step["weight"]]
        y = self.slide(step, real(x), len(weight), lambda patches, valid, rows: patches @ weight[rows].T)
        return y + channels(self.tensors[step["bias"]], y) if "bias" in step else y

    def binary_conv(self, step, x):
        """Weights of one bit over windows; padding of zeros counts for nothing."""
        if x.dtype != bool:
            weight = self.signs(step)
            return self.slide(
                step, real(x), len(weight), lambda patches, valid, rows: patches @ weight[rows].T
            )
        words = self.words[step["weight"]]

        def products(patches, valid, rows):
            everywhere = np.tile(valid, (len(patches) // len(valid), 1))
            count = everywhere.sum(-1, dtype=np.int32)[:, None]
            return xnor(pack(patches), words[rows], count, None if valid.all() else pack(everywhere))

        return self.slide(step, x, len(words), products)

    def slide(self, step, x, outputs, products):
        """Cut x [N, C, ...] into windows [N * places, C * points] by group, and multiply."""
        index, valid, space = windows(x, step)
        flat = x.reshape(*x.shape[:2], -1)
        found = []
        groups = step["groups"]
        width, height = x.shape[1] // groups, outputs // groups
        inside = np.tile(valid, (1, width))
        for group in range(groups):
            part = flat[:, group * width : (group + 1) * width][:, :, index]
            part = part & valid if part.dtype == bool else part * valid
            patches = part.transpose(0, 2, 1, 3).reshape(len(x) * len(index), -1)
            y = products(patches, inside, slice(group * height, (group + 1) * height))
            found.append(y.reshape(len(x), len(index), height).transpose(0, 2, 1))
        return np.concatenate(found, 1).reshape(len(x), outputs, *space)

    # -------------------------------------------------------------------- signs

    def sign(self, step, x):
        """True where x is at least 0."""
        return real(x) >= 0

    def threshold(self, step, x):
        """Normalisation and sign in one comparison per channel."""
        bound = channels(self.tensors[step["threshold"]], x)
        rising = channels(self.tensors[step["rising"]].astype(bool), x)
        return np.where(rising, x >= bound, x <= bound)

    # -------------------------------------------------------------------- per channel and per value

    def affine(self, step, x):
        """What is left of a scale, a bias or a batch normalisation."""
        x = real(x)
        if "scale" in step:
            x = x * channels(self.tensors[step["scale"]], x)
        return x + channels(self.tensors[step["shift"]], x) if "shift" in step else x

    def features(self, step, x):
        """As affine, along the last dimension."""
        x = real(x)
        if "scale" in step:
            x = x * self.tensors[step["scale"]]
        return x + self.tensors[step["shift"]] if "shift" in step else x

    def relu(self, step, x):
        """max(0, x)."""
        return np.maximum(real(x), 0)

    def leaky_relu(self, step, x):
        """x, or slope * x below zero."""
        x = real(x)
        return np.where(x > 0, x, x * np.float32(step["slope"]))

    def clip(self, step, x):
        """X between lo and hi."""
        return np.clip(real(x), np.float32(step["lo"]), np.float32(step["hi"]))

    def tanh(self, step, x):
        """Tanh x."""
        return np.tanh(real(x))

    def sigmoid(self, step, x):
        """1 / (1 + exp(-x))."""
        return 1 / (1 + np.exp(-np.clip(real(x), -80, 80)))

    def softmax(self, step, x):
        """Positive numbers that sum to 1 along dim."""
        x = real(x)
        raised = np.exp(x - x.max(step["dim"], keepdims=True))
        return raised / raised.sum(step["dim"], keepdims=True)

    def add(self, step, a, b):
        """A + b."""
        return real(a) + real(b)

    def concatenate(self, step, *parts):
        """Parts behind one another along dim."""
        if not all(part.dtype == bool for part in parts):
            parts = [real(part) for part in parts]
        return np.concatenate(parts, step["dim"])

    # -------------------------------------------------------------------- shape and pooling

    def flatten(self, step, x):
        """Dimensions start to end as one."""
        first, last = step["start"] % x.ndim, step["end"] % x.ndim
        return x.reshape(*x.shape[:first], -1, *x.shape[last + 1 :])

    def pad(self, step, x):
        """A border of one value around the space; around signs, its sign."""
        value = step["value"] >= 0 if x.dtype == bool else np.float32(step["value"])
        x = x if x.dtype == bool else real(x)
        return np.pad(x, [(0, 0), (0, 0), *step["padding"]], constant_values=value)

    def max_pool(self, step, x):
        """The largest in each window; of signs, whether one is +1."""
        index, valid, space = windows(x, step)
        part = x.reshape(*x.shape[:2], -1)[:, :, index]
        lowest = False if x.dtype == bool else np.iinfo(np.int32).min if x.dtype == np.int32 else -np.inf
        return np.where(valid, part, np.array(lowest, x.dtype)).max(-1).reshape(*x.shape[:2], *space)

    def average_pool(self, step, x):
        """The mean of each window, its padding counted in."""
        index, valid, space = windows(x, step)
        part = real(x).reshape(*x.shape[:2], -1)[:, :, index] * valid
        return part.mean(-1, dtype=np.float32).reshape(*x.shape[:2], *space)

    def global_average(self, step, x):
        """The mean over all places."""
        return real(x).mean(tuple(range(2, x.ndim)), keepdims=True, dtype=np.float32)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(f"usage: python {sys.argv[0]} INPUT.npy ... (float32 arrays [N, ...], one per input)")
    network = PackedNetwork(__file__.removesuffix(".py") + ".safetensors")
    scores = network(*[np.load(path, allow_pickle=False) for path in sys.argv[1:]])
    for name, values in scores.items() if isinstance(scores, dict) else [("", scores)]:
        for number, row in enumerate(values):
            print(name, number, "class", int(row.argmax()), "score", float(row.max()))
