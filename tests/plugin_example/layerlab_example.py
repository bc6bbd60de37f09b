"""A gated linear layer: the module, and its declaration for Layerlab."""

from torch import Tensor, nn

from engine.catalog import Call, Layer
from engine.catalog.fields import Bool, Int


class GatedLinear(nn.Module):
    """A linear layer whose outputs are each gated by a second one: Dauphin et al. 2017, arXiv 1612.08083."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features, bias=bias)
        self.gate = nn.Linear(in_features, out_features, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Gate: [N x … x in_features] to [N x … x out_features]."""
        return self.linear(x) * self.gate(x).sigmoid()


GATED_LINEAR = Layer(
    id="GatedLinear",
    title="Gated linear",
    group="Linear",
    doc="`out_features` weighted sums, each multiplied by a gate from 0 to 1 that is learned too; `bias` adds offsets.",
    source="Dauphin et al. 2017, arXiv 1612.08083",
    reads="N … features",
    gives="N … out_features",
    fields=(
        Int("out_features", start=64, lo=1, hi=1 << 20, unit="features", doc="Number of outputs."),
        Bool("bias", True, doc="Learn offsets."),
    ),
    parameters=("linear.weight", "gate.weight"),
    call=lambda f, x: Call("layerlab_example.GatedLinear", x.features, f.out_features, bias=f.bias),
    keywords=("glu", "gate"),
)
