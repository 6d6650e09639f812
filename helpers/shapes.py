"""The shapes of published models, the few numbers of a configuration that decide how much memory a model needs; and
the memory of cards."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "gpt_neox")
GPUS = {  # MiB, as nvidia-smi shows them
    "rtx4060": 8_188,
    "rtx3060": 12_288,
    "t4": 15_360,
    "a10g": 23_028,
    "l4": 23_034,
    "rtx4090": 24_564,
    "rtx3090": 24_576,
    "rtx5090": 32_607,
    "a100-40": 40_960,
    "l40s": 46_068,
    "a6000": 49_140,
    "h100": 81_559,
    "a100-80": 81_920,
}
NO_BFLOAT16 = ("t4",)  # cards older than Ampere, which emulate it
HUB = "config.json of https://huggingface.co/"


@dataclass(frozen=True)
class Shape:
    """One model.

    Attributes:
        name: as in `MODELS`, or what `--model` named.
        family: `model_type` of its configuration, one of `FAMILIES`.
        layers, width, inner: transformer blocks, hidden size, and width of the feed-forward block.
        heads, kv_heads: attention heads of the queries, and of keys and values.
        vocabulary: rows of the embedding.
        context: the longest text that it was made for, in tokens (`max_position_embeddings`); 0: not published.
        tied: the output layer is the embedding.
        source: where the numbers are published.
        head_dim: width of a head; 0: width / heads.
    """

    name: str
    family: str
    layers: int
    width: int
    inner: int
    heads: int
    kv_heads: int
    vocabulary: int
    context: int
    tied: bool
    source: str
    head_dim: int = 0

    @property
    def queries(self) -> int:
        """Width of all queries together."""
        return self.heads * (self.head_dim or self.width // self.heads)

    @property
    def keys(self) -> int:
        """Width of all keys together, and of all values."""
        return self.kv_heads * (self.head_dim or self.width // self.heads)

    @property
    def norms_heads(self) -> bool:
        """Each head of the queries and of the keys goes through a norm."""
        return self.family == "qwen3"

    @property
    def linear(self) -> dict[str, tuple[int, int]]:
        """(outputs, inputs) of each linear layer of one block."""
        width, inner, queries, keys = self.width, self.inner, self.queries, self.keys
        if self.family == "gpt_neox":  # one matrix for queries, keys and values, and no gate
            block = {"query_key_value": (3 * width, width), "dense": (width, width)}
            return block | {"dense_h_to_4h": (inner, width), "dense_4h_to_h": (width, inner)}
        attention = {"q_proj": (queries, width), "k_proj": (keys, width), "v_proj": (keys, width)}
        mlp = {"gate_proj": (inner, width), "up_proj": (inner, width), "down_proj": (width, inner)}
        return attention | {"o_proj": (width, queries)} | mlp

    @property
    def adapted(self) -> tuple[str, ...]:
        """The linear layers that the course adapts: those of queries and values."""
        return ("query_key_value",) if self.family == "gpt_neox" else ("q_proj", "v_proj")

    @property
    def linear_weights(self) -> int:
        """Weights of all linear layers of all blocks, which 8-bit and 4-bit quantize; biases not counted."""
        return self.layers * sum(rows * columns for rows, columns in self.linear.values())

    @property
    def linear_rows(self) -> int:
        return self.layers * sum(rows for rows, _ in self.linear.values())

    @property
    def biases(self) -> int:
        """Biases of linear layers: of all of GPT-NeoX, of queries, keys and values of Qwen2, of none of a Llama."""
        if self.family == "gpt_neox":
            return self.linear_rows
        return self.layers * (self.queries + 2 * self.keys) if self.family == "qwen2" else 0

    @property
    def other_weights(self) -> int:
        """Weights that stay as they are when linear layers are quantized: embedding, output layer, norms, biases."""
        embeddings = (1 if self.tied else 2) * self.vocabulary * self.width
        of_a_norm = (2 if self.family == "gpt_neox" else 1) * self.width  # LayerNorm has a bias, RMSNorm has none
        of_heads = 2 * self.queries // self.heads if self.norms_heads else 0
        return embeddings + (2 * self.layers + 1) * of_a_norm + self.layers * of_heads + self.biases

    @property
    def parameters(self) -> int:
        return self.linear_weights + self.other_weights

    @property
    def config(self) -> SimpleNamespace:
        """The same numbers under transformers' names, for `helpers.bill`."""
        return SimpleNamespace(
            model_type=self.family,
            num_hidden_layers=self.layers,
            hidden_size=self.width,
            intermediate_size=self.inner,
            num_attention_heads=self.heads,
            num_key_value_heads=self.kv_heads,
            head_dim=self.queries // self.heads,
            vocab_size=self.vocabulary,
            tie_word_embeddings=self.tied,
        )


def shape_of(config: Any, name: str) -> Shape:
    """The shape of a model whose configuration was read, for example by transformers' `AutoConfig`.

    Raises:
        ValueError: a family whose layers are not known here.
    """
    if config.model_type not in FAMILIES:
        raise ValueError(
            f"{name} is a {config.model_type}, whose layers are not planned, only those of {', '.join(FAMILIES)}. "
            "Plan a model of one of these that has about as many weights."
        )
    return Shape(
        name=name,
        family=config.model_type,
        layers=config.num_hidden_layers,
        width=config.hidden_size,
        inner=config.intermediate_size,
        heads=config.num_attention_heads,
        kv_heads=getattr(config, "num_key_value_heads", None) or config.num_attention_heads,
        vocabulary=config.vocab_size,
        context=getattr(config, "max_position_embeddings", None) or 0,
        tied=bool(config.tie_word_embeddings),
        source=f"config.json of {name}",
        head_dim=getattr(config, "head_dim", None) or 0,
    )


def named(name: str) -> Shape | None:
    """The published model of that name or hub id, upper or lower case; None if the table has none."""
    names = {known.lower(): of for of in MODELS.values() for known in (of.name, of.source.removeprefix(HUB))}
    return names.get(name.lower())


def _llama(name: str, hub: str, sizes: tuple[int, ...], tied=False, family="llama", head_dim=0) -> Shape:
    return Shape(name, family, *sizes, tied, HUB + hub, head_dim)


_ALL = (  # sizes: layers, width, inner, heads, kv_heads, vocabulary, context
    _llama("SmolLM2-135M", "HuggingFaceTB/SmolLM2-135M-Instruct", (30, 576, 1536, 9, 3, 49152, 8192), tied=True),
    _llama("Qwen2.5-0.5B", "Qwen/Qwen2.5-0.5B", (24, 896, 4864, 14, 2, 151936, 32768), tied=True, family="qwen2"),
    _llama(
        "Qwen3-0.6B", "Qwen/Qwen3-0.6B", (28, 1024, 3072, 16, 8, 151936, 40960), tied=True, family="qwen3", head_dim=128
    ),
    _llama("Llama-3.2-1B", "meta-llama/Llama-3.2-1B", (16, 2048, 8192, 32, 8, 128256, 131072), tied=True),
    _llama("SmolLM2-1.7B", "HuggingFaceTB/SmolLM2-1.7B", (24, 2048, 8192, 32, 32, 49152, 8192), tied=True),
    _llama("Llama-3.2-3B", "meta-llama/Llama-3.2-3B", (28, 3072, 8192, 24, 8, 128256, 131072), tied=True),
    _llama("Llama-2-7B", "meta-llama/Llama-2-7b-hf", (32, 4096, 11008, 32, 32, 32000, 4096)),
    _llama("Mistral-7B", "mistralai/Mistral-7B-v0.1", (32, 4096, 14336, 32, 8, 32000, 32768), family="mistral"),
    _llama("Qwen2.5-7B", "Qwen/Qwen2.5-7B", (28, 3584, 18944, 28, 4, 152064, 131072), family="qwen2"),
    _llama("Llama-3.1-8B", "meta-llama/Llama-3.1-8B", (32, 4096, 14336, 32, 8, 128256, 131072)),
    _llama("Qwen3-8B", "Qwen/Qwen3-8B", (36, 4096, 12288, 32, 8, 151936, 40960), family="qwen3"),
    _llama("Llama-2-13B", "meta-llama/Llama-2-13b-hf", (40, 5120, 13824, 40, 40, 32000, 4096)),
    _llama("GPT-NeoX-20B", "EleutherAI/gpt-neox-20b", (44, 6144, 24576, 64, 64, 50432, 2048), family="gpt_neox"),
    _llama("Qwen3-32B", "Qwen/Qwen3-32B", (64, 5120, 25600, 64, 8, 151936, 40960), family="qwen3", head_dim=128),
    _llama("LLaMA-65B", "huggyllama/llama-65b", (80, 8192, 22016, 64, 64, 32000, 2048)),
    _llama("Llama-3.1-70B", "meta-llama/Llama-3.1-70B", (80, 8192, 28672, 64, 8, 128256, 131072)),
)
MODELS = {shape.name: shape for shape in _ALL}
