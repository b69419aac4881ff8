"""What is handed to another process as bytes."""

import base64
import io

import torch
from safetensors.torch import load as load_tensors

from framesift.compression.compressor import VideoCompressor
from framesift.export import engines
from framesift.types.compressed_files import TOKENS, load

CLIP = "synthetic://mixed?seconds=4&width=160&height=90"


def test_a_token_file_is_the_one_that_is_saved_and_loaded(tmp_path):
    video = VideoCompressor(keep=0.25).compress(CLIP)
    sent = engines.token_file(video)
    video.save(tmp_path)
    assert (tmp_path / TOKENS).read_bytes() == sent
    tensors = load_tensors(sent)
    assert torch.equal(tensors["tokens"], load(tmp_path).tokens)
    assert torch.equal(tensors["plan.src"], video.plan.src)
    assert "layers" not in tensors


def test_prompt_embeddings_are_base64_of_a_tensor_that_loads_without_code():
    embeds = torch.arange(12, dtype=torch.bfloat16).view(3, 4)
    for given in (embeds, embeds.T):
        content = base64.b64decode(engines.base64_embeds(given), validate=True)
        read = torch.load(io.BytesIO(content), weights_only=True)
        assert torch.equal(read, given)
        assert read.is_contiguous()
