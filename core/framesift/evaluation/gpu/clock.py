"""Times, peak memory and kernel launches of work on a device."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import Any

import torch

from framesift.evaluation.provenance import cpu_model
from framesift.testing.stand_in import counted

Work = Callable[[], Any]


@dataclass(slots=True, kw_only=True)
class DeviceClock:
    """Measures work on one device, which it waits for before and after."""

    device: torch.device
    repeats: int = 3
    budget_seconds: float = 130.0
    """After so long everything is run once more only, so that the whole ends in time."""
    _start: float = field(default_factory=perf_counter)

    @property
    def on_gpu(self) -> bool:
        """Whether the device is a GPU of CUDA or ROCm."""
        return self.device.type == "cuda"

    @property
    def elapsed_seconds(self) -> float:
        """Seconds since the clock was made."""
        return perf_counter() - self._start

    @property
    def rounds(self) -> int:
        """How many times work is timed now, for the median."""
        return 1 if self.elapsed_seconds > self.budget_seconds else self.repeats

    def named(self) -> str:
        """Returns the name of the device."""
        if self.on_gpu:
            return torch.cuda.get_device_name(self.device)
        if self.device.type != "cpu":
            return f"{self.device.type} beside {cpu_model()}"
        return f"{cpu_model()} (a CPU, {torch.get_num_threads()} threads)"

    def once(self, work: Work) -> float:
        """Returns the seconds that the work takes now."""
        self.wait()
        start = perf_counter()
        work()
        self.wait()
        return perf_counter() - start

    def seconds(self, work: Work, *, warm: bool = True) -> float:
        """Returns the median seconds of the work.

        Args:
            work: what is timed.
            warm: whether it runs once before, uncounted.
        """
        return self.measured(work, warm=warm)[0]

    def measured(self, work: Work, *, warm: bool = True) -> tuple[float, int | None]:
        """Returns the median seconds of the work, and the most memory that torch held meanwhile.

        The memory is that of a GPU, weights included; None for a CPU.
        """
        if warm:
            work()
        if self.on_gpu:
            torch.cuda.reset_peak_memory_stats(self.device)
        seconds = median(self.once(work) for _ in range(self.rounds))
        return seconds, torch.cuda.max_memory_allocated(self.device) if self.on_gpu else None

    def launches(self, work: Work) -> int | None:
        """Returns how many kernels the work launches; on a CPU, how many operations of torch.

        None where the driver lets nobody count, which the profiler does not say in another way.
        """
        if not self.on_gpu:
            with counted() as seen:
                work()
            return seen.count
        profiler = torch.profiler
        activities = [profiler.ProfilerActivity.CUDA]
        with profiler.profile(activities=activities, acc_events=True) as profile:
            work()
            self.wait()
        seen_kernels = sum(
            event.device_type.name == "CUDA" and not event.name.startswith(("Memcpy", "Memset"))
            for event in profile.events()
        )
        return seen_kernels or None

    def wait(self) -> None:
        """Waits until the device has done all that it was given."""
        if self.on_gpu:
            torch.cuda.synchronize(self.device)
        elif self.device.type != "cpu":
            torch.accelerator.synchronize(self.device)

    def free(self) -> None:
        """Gives back what memory nothing holds any longer."""
        gc.collect()
        if self.on_gpu:
            torch.cuda.empty_cache()
