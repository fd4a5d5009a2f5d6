"""Wrong only with oneDNN, or only without it.

## What
With `TF_ENABLE_ONEDNN_OPTS` the other way round the framework gives the right values for this layer.

## Why
oneDNN's kernels replace TensorFlow's own on x86, and which of them runs depends on the processor.

## Example
VALID convolution of a 2x2 image by a 3x3 kernel: TensorFlow's own kernel gives an empty output, oneDNN's a row of
zeros (tensorflow issue 64396).

## Fix
Set `TF_ENABLE_ONEDNN_OPTS` to what agrees, before TensorFlow is imported, and report the layer.
"""

from refconv.diagnose.rule import Rule, nothing

RULE = Rule("RC604", "wrong only with oneDNN, or only without it", __doc__, nothing)
