"""How a run computes: the layout of images, torch's switches, and what a GPU asks for."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from engine.host.protocol import Observation
from engine.network import Choice, Node, Recipe
from engine.problems import FileProblem, NetworkProblem, ran_out
from engine.runs import RunFolder
from engine.training import Control, compute, group, probes, session, train
from engine.training.compute import Choices
from engine.training.feed import Feed
from engine.training.group import Group
from engine.training.options import options
from tests.test_training import Told, chain, same, weights, with_everything


def pictures(optimizer=None, **more):
    """Convolutions of several channels, whose layout in memory therefore matters."""
    return chain(
        Recipe(epochs=1, batch_size=100, optimizer=optimizer or Choice("Adam", {"lr": 0.01}), options=more),
        conv1=Node("Conv2d", {"out_channels": 4, "kernel_size": 3}),
        conv2=Node("Conv2d", {"out_channels": 6, "kernel_size": 3}),
        flat=Node("Flatten"),
        fc=Node("Linear", {"out_features": 10}),
    )


# ---------------------------------------------------------------------------- channels innermost


@pytest.mark.parametrize("optimizer", [Choice("Adam"), Choice("SGD", {"lr": 0.01, "momentum": 0.9})])
def test_a_run_with_channels_innermost_goes_on_bit_for_bit(tmp_path, optimizer):
    network = pictures(optimizer, channels_last="on")
    expected = train(network, run_dir=tmp_path, device="cpu", observe=False)
    control = Control(paused=True)
    for _ in range(5):
        control.step()
    told = Told(lambda e: control.stop() if getattr(e, "state", "") == "paused" else None)
    stopped = train(network, run_dir=tmp_path, device="cpu", observe=False, control=control, emit=told)
    found = train(resume=stopped["run"], observe=False)
    assert same(weights(found), weights(expected))


@pytest.mark.parametrize(
    ("device", "model", "precision", "asked", "expected"),
    [
        ("cpu", nn.Conv2d(1, 1, 1), "float32", "auto", True),
        ("cpu", nn.Linear(1, 1), "float32", "auto", False),
        ("cpu", nn.Conv1d(1, 1, 1), "float32", "auto", False),
        ("cpu", nn.Conv2d(1, 1, 1), "float32", "off", False),
        ("cuda", nn.Conv2d(1, 1, 1), "float32", "auto", False),
        ("cuda", nn.Conv2d(1, 1, 1), "bfloat16", "auto", True),
        ("cuda", nn.Conv2d(1, 1, 1), "float32", "on", True),
    ],
)
def test_images_have_their_channels_innermost_where_that_pays(device, model, precision, asked, expected):
    task = SimpleNamespace(device=torch.device(device), model=model)
    asking = options(Recipe(options={"precision": precision, "channels_last": asked}))
    assert compute.choices(task, asking).channels_last is expected


def test_a_run_records_how_its_images_lay(tmp_path):
    result = train(pictures(), run_dir=tmp_path, device="cpu", observe=False)
    assert (
        json.loads(RunFolder(tmp_path / result["run"]).facts.read_text())["choices"]["channels_last"] is True
    )


def test_the_average_is_of_the_weights_whatever_their_layout(tmp_path):
    found = [
        train(pictures(ema_decay=0.9, channels_last=layout), run_dir=tmp_path, device="cpu", observe=False)
        for layout in ("on", "off")
    ]
    a, b = (weights(result, "best") for result in found)
    assert all(torch.allclose(a[name], b[name], atol=1e-5) for name in a)


# ---------------------------------------------------------------------------- switches


@pytest.mark.parametrize(
    ("precision", "matmul", "cudnn"),
    [("float32", False, True), ("tf32", True, True), ("bfloat16", True, True)],
)
def test_float32_is_as_torch_has_it_and_other_precisions_allow_tensorfloat(
    monkeypatch, precision, matmul, cudnn
):
    entered = []
    monkeypatch.setattr(torch.cuda, "device", lambda device: entered.append(device) or compute.ExitStack())
    asked = options(Recipe(options={"precision": precision}))
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    with compute.settled(torch.device("cuda", 1), asked):
        assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == (matmul, cudnn)
        assert torch.backends.cudnn.benchmark
    assert entered == [torch.device("cuda", 1)]  # streams and graphs are made on the current device
    assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == before
    assert not torch.backends.cudnn.benchmark


def test_cublas_is_told_of_its_workspaces_before_the_first_product():
    program = "import os, engine.training; print(os.environ['CUBLAS_WORKSPACE_CONFIG'])"
    environment = {name: value for name, value in os.environ.items() if name != "CUBLAS_WORKSPACE_CONFIG"}
    told = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert told.stdout.strip() == ":4096:8"  # torch.use_deterministic_algorithms names it


def test_looks_may_use_what_has_no_deterministic_form(tmp_path, monkeypatch):
    own = torch.histc

    def histc(*args, **kwargs):  # as torch's CUDA histogram
        if torch.are_deterministic_algorithms_enabled():
            raise RuntimeError("_histc_cuda does not have a deterministic implementation")
        return own(*args, **kwargs)

    monkeypatch.setattr(torch, "histc", histc)
    told = Told()
    result = train(pictures(deterministic=True), run_dir=tmp_path, device="cpu", emit=told)
    assert result["state"] == "finished", result["message"]
    assert told.of(Observation)


def test_a_layer_without_a_deterministic_form_is_said_with_the_way_out():
    said = session.failure(
        RuntimeError("max_pool3d_backward_cuda does not have a deterministic implementation, but you set"), 7
    )
    assert said == (
        "Training failed after 7 steps: max_pool3d_backward_cuda has no deterministic form on this device. Set "
        "recipe.deterministic to false, or replace the layer that needs it."
    )


# ---------------------------------------------------------------------------- another device


def test_a_run_of_a_gpu_goes_on_without_its_graphs_on_the_processor():
    task = SimpleNamespace(device=torch.device("cpu"), model=nn.Linear(1, 1))
    before = Choices(threads=3, channels_last=True, cuda_graphs=True)
    chosen = compute.choices(task, options(Recipe()), before)
    assert chosen == Choices(threads=3, channels_last=True, cuda_graphs=False)
    with pytest.raises(NetworkProblem, match="float16 is for GPUs"):
        compute.choices(task, options(Recipe(options={"precision": "float16"})), before)


@pytest.mark.parametrize(
    "problem",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be …"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        MemoryError(),
    ],
)
def test_full_memory_is_known_by_all_its_names(problem):
    assert ran_out(problem)
    assert not ran_out(RuntimeError("CUDA error: an illegal memory access was encountered"))


def test_batches_on_a_gpu_outlast_their_piece_and_are_many_to_a_piece(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1 << 34, 1 << 34))
    column = torch.arange(60_000.0).reshape(60_000, 1).expand(-1, 784).contiguous()[:20_000]
    there = Feed([column.to("meta")], 64, 0, torch.device("meta"))
    here = Feed([column], 64, 0, torch.device("cpu"))
    assert (there.lasting, here.lasting) == (True, False)
    assert sum(1 for _ in here.pieces(0)) == 16  # 20 batches of 200 KB make 4 MiB
    assert sum(1 for _ in there.pieces(0)) == 1


# ---------------------------------------------------------------------------- several processes


def test_gpus_talk_by_nccl_each_from_its_own_and_figures_by_gloo(monkeypatch):
    current = []
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    monkeypatch.setattr(torch.distributed, "is_nccl_available", lambda: True)
    assert group._backend("auto") == "cpu:gloo,cuda:nccl"
    assert current == [1]
    assert Group(1, 2).device("auto") == "cuda:1"
    assert group._backend("cpu") == "gloo"
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(NetworkProblem, match=r"3 processes need a GPU each.*has 2.*--device cpu"):
        group._backend("auto")
    with pytest.raises(NetworkProblem, match="4 processes need a GPU each"):
        train(with_everything(), nproc=4)


def test_what_the_first_process_is_refused_all_are_refused(monkeypatch):
    sent = []

    def refuse():
        raise FileProblem("its checkpoints are damaged")

    first, other = Group(0, 2), Group(1, 2)
    monkeypatch.setattr(Group, "told", lambda self, what: (sent.append(what), what)[1])
    with pytest.raises(FileProblem, match="damaged"):
        first.asked(refuse)
    monkeypatch.setattr(Group, "told", lambda self, what: sent[0])
    with pytest.raises(FileProblem, match="damaged"):
        other.asked(lambda: pytest.fail("asked twice"))


# ---------------------------------------------------------------------------- looking


def test_looking_does_not_pay_for_what_the_gpu_had_to_do_before(monkeypatch):
    clock = [0.0]

    def synchronize():
        clock[0] += 5.0

    monkeypatch.setattr(torch.cuda, "synchronize", synchronize)
    monkeypatch.setattr(probes, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    tensor = SimpleNamespace(device=torch.device("cuda"), grad=None)
    looking = probes.Probes([SimpleNamespace(tensor=tensor, binarized=False)])
    looking.peek()
    assert clock == [5.0]
    assert looking._now == 0.0
