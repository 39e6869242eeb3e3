"""torch-eager: the model as transformers runs it, attention written out. The baseline of every ratio."""

from compare.runtimes.torch_model import TorchModel


class TorchEager(TorchModel):
    attention = "eager"
