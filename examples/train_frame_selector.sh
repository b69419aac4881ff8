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

train() {  # NAME LABELS [OPTION...]: trains with the small recipe and these changes
    name=$1
    labels=$2
    shift 2
    framesift train frame-selector "$work/$labels" --recipe tiny --vlm tiny \
        --features "$work/features" -o "$work/$name" "$@"
}
train selector labels.jsonl --set stage_1.epochs=1 --set stage_2.epochs=8

# Ablations by a shorter schedule on the videos of at most 32 frames, without questions that count
# or ask whether something is there.
grep -E 'seconds=(16|24|32)&' "$work/labels.jsonl" |
    grep -vE '"question": ?"(How many|Count|Is there|Does an? |Can you see|Do you see)' \
        >"$work/short.jsonl"
short() {  # NAME [OPTION...]
    name=$1
    shift
    train "$name" short.jsonl --set stage_1.epochs=0.5 --set stage_2.epochs=5 \
        --set answering=false "$@"
}
short both
short spatial --set target=spatial
short one-token --set pooled=1
short 25-tokens --set pooled=5

framesift train shorter-vlm --layer 2 --clips 800 --steps 400 -o "$work/three-layers"
framesift bench selection --videos 24 -o "$work/selection" \
    --trained "mllm:model=$work/selector" \
    --reader tiny --reader "three layers=$work/three-layers" \
    --ablation "9 tokens, both labels=mllm:model=$work/both" \
    --ablation "9 tokens, spatial labels=mllm:model=$work/spatial" \
    --ablation "1 token, both labels=mllm:model=$work/one-token" \
    --ablation "25 tokens, both labels=mllm:model=$work/25-tokens"
