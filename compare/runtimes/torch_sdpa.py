"""torch-sdpa: the model with torch's fused `scaled_dot_product_attention`, which never forms the probabilities."""

from compare.runtimes.torch_model import TorchModel


class TorchSdpa(TorchModel):
    attention = "sdpa"
    probabilities = False
