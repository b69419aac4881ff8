#!/bin/sh
# Makes the frame selector that comes with framesift and measures it, from nothing: questions,
# labels by the embedded model, both stages, another reader, and the bench. About two hours on two
# CPU cores; every step goes on where it was broken off. Run: examples/train_frame_selector.sh FOLDER
set -e
work=${1:?give a folder}
mkdir -p "$work"
framesift bench selection-questions --split train --videos 293 -o "$work/questions.jsonl"
framesift label "$work/questions.jsonl" --model tiny --judge answer --temporal evidence \
    -o "$work/labels.jsonl"

train() {  # NAME [NAME=VALUE...]: trains with the small recipe and these changes
    name=$1
    shift
    framesift train frame-selector "$work/labels.jsonl" --recipe tiny --vlm tiny \
        --features "$work/features" -o "$work/$name" "$@"
}
train selector --set stage_1.epochs=1 --set stage_2.epochs=8

# Ablations, all by one shorter schedule.
short="--set stage_1.epochs=0.5 --set stage_2.epochs=3 --set answering=false"
# shellcheck disable=SC2086
train both $short
# shellcheck disable=SC2086
train spatial $short --set target=spatial
# shellcheck disable=SC2086
train one-token $short --set pooled=1
# shellcheck disable=SC2086
train 25-tokens $short --set pooled=5

framesift train shorter-vlm --layer 2 --clips 800 --steps 400 -o "$work/three-layers"
framesift bench selection --videos 40 -o "$work/selection" \
    --trained "mllm:model=$work/selector" \
    --reader tiny --reader "three layers=$work/three-layers" \
    --ablation "9 tokens, both labels=mllm:model=$work/both" \
    --ablation "9 tokens, spatial labels=mllm:model=$work/spatial" \
    --ablation "1 token, both labels=mllm:model=$work/one-token" \
    --ablation "25 tokens, both labels=mllm:model=$work/25-tokens"
