"""Plans on features of your own encoder, as a serving engine or a researcher would."""

import torch

import framesift


def main() -> None:
    """Compares what three strategies keep of the same tokens."""
    generator = torch.Generator().manual_seed(0)
    still = torch.randn(1, 196, 64, generator=generator).repeat(16, 1, 1)
    still[5:9, 90:110] += torch.randn(4, 20, 64, generator=generator)
    tokens = framesift.VideoTokens(
        features=still, grid=(14, 14), pts_seconds=torch.arange(16, dtype=torch.float64)
    )
    for spec in ("uniform", "random:seed=1", "temporal", "temporal | random"):
        plan = framesift.create_strategy(spec).plan(tokens, budget=300)
        reduced = plan.apply(still)
        event = plan.frame_counts()[5:9].sum().item()
        print(f"{spec:20} {tuple(reduced.shape)}  tokens of the event's four seconds: {event}")


if __name__ == "__main__":
    main()
