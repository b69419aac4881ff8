"""Tensors as a file that is written from where they lie."""

import gc
import mmap
import tracemalloc

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load

from framesift.disk import tensors as tensors_module
from framesift.disk.tensors import PIECE_BYTES, TensorFile, mapped_rows, tensors_in
from framesift.disk.writing import write_atomically
from framesift.types.row_memory import rows_like

KINDS = (
    *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
)


def test_every_type_and_shape_is_read_back_by_safetensors(tmp_path):
    tensors = {f"{kind}": torch.arange(15).view(3, 5).to(kind) for kind in KINDS}
    tensors |= {
        "none": torch.zeros(0, 4),
        "one": torch.tensor(2.5),
        "turned": torch.arange(12.0).view(3, 4).T,
        "deep": torch.arange(24.0).view(2, 3, 4),
    }
    file = TensorFile(tensors, metadata={"report": '{"é": 1}'})
    content = b"".join(file.pieces())
    assert len(content) == file.size_bytes
    read = load(content)
    assert set(read) == set(tensors)
    for name, value in tensors.items():
        assert read[name].dtype == value.dtype
        assert torch.equal(read[name], value)
    path = write_atomically(tmp_path / "a.safetensors", file.pieces())
    with safe_open(path, "pt") as opened:
        assert opened.metadata() == {"report": '{"é": 1}'}


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_another_type_is_that_of_torch(kind):
    tokens = torch.randn(1000, 7, generator=torch.Generator().manual_seed(1))
    file = TensorFile({"tokens": tokens, "times": tokens[:, 0].double()}, dtypes={"tokens": kind})
    read = load(b"".join(file.pieces()))
    assert torch.equal(read["tokens"], tokens.to(kind))
    assert read["times"].dtype == torch.float64


@pytest.mark.parametrize("kind", [torch.float32, torch.float16])
def test_a_file_needs_no_memory_but_a_piece(tmp_path, kind):
    tokens = torch.ones(20_000, 300)
    pieces = TensorFile({"tokens": tokens}, dtypes={"tokens": kind}).pieces()
    sizes, inside = [], 0
    start, size = tokens.data_ptr(), tokens.nbytes
    for piece in pieces:
        sizes.append(len(piece))
        if isinstance(piece, memoryview):
            place = torch.frombuffer(piece, dtype=torch.uint8).data_ptr()
            inside += start <= place < start + size
    assert max(sizes) <= PIECE_BYTES
    assert inside == (len(sizes) - 1 if kind == torch.float32 else 0)
    tracemalloc.start()
    write_atomically(tmp_path / "a", TensorFile({"tokens": tokens}).pieces())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < PIECE_BYTES


def is_in_file(tensor):
    return tensor.untyped_storage().data_ptr() in tensors_module.IN_FILES


def test_a_file_is_read_where_it_lies(tmp_path):
    tensors = {f"{kind}": torch.arange(15).view(3, 5).to(kind) for kind in KINDS}
    tensors |= {"none": torch.zeros(0, 4), "one": torch.tensor(2.5)}
    file = TensorFile(tensors, metadata={"device": "cpu"})
    path = write_atomically(tmp_path / "a.safetensors", file.pieces())
    with path.open("rb") as opened:
        read, metadata = tensors_in(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_COPY))
    assert metadata == {"device": "cpu"}
    assert read.keys() == tensors.keys()
    for name, value in tensors.items():
        assert read[name].dtype == value.dtype
        assert torch.equal(read[name], value)
        assert is_in_file(read[name]) == (name != "none")
    read["one"].fill_(0)
    assert path.read_bytes() == b"".join(file.pieces())


@pytest.mark.parametrize(
    "header", [b"[]", b"{", b"\xff", b'{"a": 1}', b'{"a": {"dtype": "F9", "shape": [1]}}']
)
def test_another_file_is_no_file_of_tensors(header):
    memory = mmap.mmap(-1, 8 + len(header))
    memory[:] = len(header).to_bytes(8, "little") + header
    with pytest.raises(ValueError, match=r"\w"):
        tensors_in(memory)


def test_rows_lie_in_a_file_where_those_before_do():
    like = mapped_rows(torch.zeros(1, 3, 4, dtype=torch.float16), 5)
    assert (like.shape, like.dtype, is_in_file(like)) == ((5, 3, 4), torch.float16, True)
    part = rows_like(like[1:, 2], 7)
    assert (part.shape, part.dtype, is_in_file(part)) == ((7, 4), torch.float16, True)
    part[:] = 1
    assert float(part.sum()) == 28
    assert not is_in_file(rows_like(torch.zeros(2, 3), 7))
    assert rows_like(like, 0).shape == (0, 3, 4)
    before = len(tensors_module.IN_FILES)
    del like, part
    gc.collect()
    assert len(tensors_module.IN_FILES) == before - 2
