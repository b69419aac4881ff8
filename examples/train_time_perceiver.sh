#!/bin/sh
# Makes the TimePerceiver that comes with framesift and measures it, from nothing: clips, three
# seeds, and the bench under bounds of visual tokens. About an hour and a half on two CPU cores;
# every step goes on where it was broken off. Run: examples/train_time_perceiver.sh FOLDER
set -e
work=${1:?give a folder}
mkdir -p "$work"
cd "$work"

train() {  # NAME [OPTION...]: trains with the small recipe and these changes
    name=$1
    shift
    framesift train time-perceiver --recipe tiny --vlm tiny -o "$name" \
        --synthetic 3000 --clips clips --features features --processes 2 \
        --set stage_1.epochs=4 --set fewest=0.5 --set measure_every=300 "$@"
}
# A key frame on 4 x 4 cells, and the three other frames of a segment on as many: an eighth of the
# tokens. `pooled` is the same layout with means.
for seed in 0 1 2; do
    train "seed-$seed" --set seed=$seed
done
# The four other frames of a segment on 8 x 8 cells: a quarter of the tokens.
train wide --set time_stride=1 --set segment=5

framesift bench answers -o slow-fast.jsonl --max-visual-tokens 0.5,0.25,0.125,0.0625 --videos 80 \
    -s "trained#1=slow-fast:filling=seed-0" \
    -s "trained#2=slow-fast:filling=seed-1" \
    -s "trained#3=slow-fast:filling=seed-2" \
    -s "trained, 16 + 64=slow-fast:filling=wide" \
    -s "trained, key informative=slow-fast:filling=seed-0,key=informative" \
    -s "pooled=slow-fast:key_stride=2,time_stride=2,include_key=False" \
    -s "pooled, 64 + 16=slow-fast" \
    -s "slowfast-llava=slow-fast:layout=slowfast-llava" \
    -s "temporal=temporal" --against pooled
