"""Makes the visual tokens that are left into the picture embeddings that vLLM takes."""

import argparse
from pathlib import Path

import framesift
from framesift.export.engines import image_embeds


def main() -> None:
    """Writes the embeddings as safetensors and prints their layout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", default="synthetic://events?seconds=8")
    parser.add_argument("--vlm", default="tiny", help="A LLaVA, InternVL or Qwen-VL model.")
    parser.add_argument("--out", type=Path, default=Path("embeds.safetensors"))
    options = parser.parse_args()

    vlm = framesift.load_vlm(options.vlm)
    sift = framesift.VideoCompressor(vlm=vlm, strategy="temporal", keep=0.25)
    embeds = image_embeds(vlm, sift.compress(options.video))
    embeds.save(options.out)
    pictures = embeds.multi_modal_data()["image"]
    print(f"{len(pictures)} pictures of {[len(picture) for picture in pictures]} tokens")


if __name__ == "__main__":
    main()
