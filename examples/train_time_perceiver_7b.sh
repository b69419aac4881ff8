#!/bin/sh
# Trains a TimePerceiver for a vision LLM of the class of Qwen2-7B, as Clapper's two stages say, with
# rates of its peers. It needs GPUs: about 40 GB of memory each. Nobody has run it whole; the test
# tests/core/training/time_perceiver/test_real_widths.py takes its steps with random weights at the
# true widths and a reduced depth. Every step goes on where it was broken off.
# Run: examples/train_time_perceiver_7b.sh CAPTIONS.jsonl QUESTIONS.jsonl FOLDER [GPUS]
#
# CAPTIONS are lines such as {"video": "clip.mp4", "caption": "A cat jumps off a table."} of short
# clips, QUESTIONS such as {"video": "talk.mp4", "question": "Who speaks?", "answer": "Ada"}.
set -e
captions=${1:?give a file of captions}
questions=${2:?give a file of questions}
work=${3:?give a folder}
gpus=${4:-8}
vlm=llava-hf/llava-onevision-qwen2-7b-ov-hf
mkdir -p "$work"

train() {  # NAME DATA [OPTION...]
    name=$1
    data=$2
    shift 2
    accelerate launch --multi_gpu --num_processes "$gpus" \
        -m framesift train time-perceiver "$data" --vlm "$vlm" --recipe published \
        --encode-anew -o "$work/$name" --set checkpoint_layers=true \
        --set batch=128 --set accumulation=64 "$@"
}
# Stage 1: network and projector, on clips of four frames, at 1e-3. The LLM is frozen.
train stage-1 "$captions" --set max_frames=4 --set stage_1.epochs=1 --set stage_2.epochs=0
# Stage 2: adapters of the LLM too, at one frame a second up to 96 frames, at 1e-5. For all weights
# of the LLM pass --set llm=all, which takes a GPU's memory several times over (see `accelerate
# config` for what shards it).
train stage-2 "$questions" --filling "$work/stage-1" --set max_frames=96 --set batch=64 \
    --set stage_1.epochs=0 --set stage_2.epochs=1
echo "framesift ask VIDEO QUESTION --vlm $work/stage-2/vlm \\"
echo "    --strategy 'slow-fast:filling=[$work/stage-2]' --keep 1 --max-tokens 6000"
